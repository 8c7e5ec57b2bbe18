import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authorizer } from '../../access/authorize.ts';
import { parsePem } from '../../access/certificate.ts';
import { loadClientPairs, loadServerCa } from '../../access/client-pairs.ts';
import { loadTls } from '../../access/tls-files.ts';
import { certificateCommand } from './certificate.ts';
import { initCommand } from './init.ts';

const scratch = mkdtempSync(join(tmpdir(), 'commands-test-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let root = '';
let count = 0;
beforeEach(() => {
  root = join(scratch, String(++count));
});

async function run(command: typeof initCommand, ...args: string[]) {
  const lines: string[] = [];
  const errors: string[] = [];
  const status = await command([`-root=${root}`, ...args], {
    out: (line) => lines.push(line),
    err: (line) => errors.push(line),
  });
  return { status, out: lines.join('\n'), err: errors.join('\n') };
}
const init = (...args: string[]) => run(initCommand, ...args);
const output = () => join(root, 'pairs');
const certificate = (...args: string[]) => run(certificateCommand, `-output=${output()}`, ...args);
const at = (...parts: string[]) => join(root, ...parts);
const mode = (path: string) => statSync(path).mode & 0o777;
/** Every file with a digest of its contents. */
function snapshot(): Record<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(at(name)).isFile(),
  );
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(at(name)))
        .digest('hex'),
    ]),
  );
}
const serverFiles = () => ({
  certFile: at('etc/ssl/imageserver/cert.pem'),
  keyFile: at('etc/ssl/imageserver/key.pem'),
  caFile: at('etc/ssl/CA.pem'),
  identityCaFile: '',
});

describe('init', () => {
  test('makes what a server needs, keys for the owner only', async () => {
    const { status, out, err } = await init('-host=images.example.org,192.0.2.7');
    expect(err).toBe('');
    expect(status).toBe(0);
    expect(Object.keys(snapshot()).sort()).toEqual([
      'etc/ssl/CA.pem',
      'etc/ssl/imageserver/cert.pem',
      'etc/ssl/imageserver/key.pem',
      'etc/ssl/imageserver/serverCA.pem',
      'etc/ssl/private/CA.key',
    ]);
    expect(mode(at('etc/ssl/private/CA.key'))).toBe(0o600);
    expect(mode(at('etc/ssl/imageserver/key.pem'))).toBe(0o600);
    expect(mode(at('etc/ssl/CA.pem'))).toBe(0o644);
    expect(mode(at('var/lib/objectserver'))).toBe(0o700);
    expect(mode(at('var/lib/imageserver'))).toBe(0o755);
    expect(out).toContain('Next:');
    const { trust, chain } = loadTls(serverFiles());
    const names = chain[0]?.x509.subjectAltName ?? '';
    for (const name of [
      'DNS:images.example.org',
      'IP Address:192.0.2.7',
      'DNS:localhost',
      'IP Address:127.0.0.1',
    ])
      expect(names).toContain(name);
    expect(chain[0]?.usages).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    // As a replica's client certificate.
    const verdict = new Authorizer(trust).examine([chain[0]?.raw ?? new Uint8Array()], true, Date.now());
    expect(verdict).toMatchObject({
      identity: { methods: expect.arrayContaining(['ImageServer.GetImageUpdates']) },
    });
  });

  test('a second time keeps everything; -force does not', async () => {
    await init();
    const before = snapshot();
    const again = await init();
    expect(again.status).toBe(0);
    expect(again.out).toContain('CA.pem  kept');
    expect(snapshot()).toEqual(before);
    expect((await init('-force')).status).toBe(0);
    expect(snapshot()).not.toEqual(before);
  });

  test.each(['etc/ssl/private/CA.key', 'etc/ssl/imageserver/key.pem'])('half of a pair: %s', async (name) => {
    await init();
    rmSync(at(name));
    const before = snapshot();
    const { status, err } = await init();
    expect(status).toBe(1);
    expect(err).toContain(`but ${at(name)} does not`);
    expect(snapshot()).toEqual(before);
  });

  test('wrong use', async () => {
    expect((await init('-nonsense')).status).toBe(2);
    expect((await init('extra')).status).toBe(2);
    expect((await init('-h')).out).toContain('-imageDir');
  });
});

describe('certificate', () => {
  test('for a user: files as the tools read them, contents as told', async () => {
    await init();
    const { status, out } = await certificate(
      '--user',
      'alice',
      '--methods',
      'ImageServer.*,ObjectServer.GetObjects',
      '--groups',
      'imgadmins,grüppe',
      '--days=10',
    );
    expect(status).toBe(0);
    expect(out).toContain('alice.cert');
    expect(readdirSync(output()).sort()).toEqual(['alice.cert', 'alice.key', 'serverCA.pem']);
    expect(mode(join(output(), 'alice.key'))).toBe(0o600);
    const [pair] = loadClientPairs(output());
    expect(pair).toMatchObject({ name: 'alice', user: 'alice', methods: 2 });
    expect(loadServerCa('', output())).toBe(readFileSync(at('etc/ssl/CA.pem'), 'utf8'));
    const [leaf] = parsePem(pair?.cert ?? '');
    expect(Math.round(((leaf?.notAfter ?? 0) - Date.now()) / 86_400_000)).toBe(10);
    const { trust } = loadTls(serverFiles());
    const verdict = new Authorizer(trust).examine([leaf?.raw ?? new Uint8Array()], true, Date.now());
    if (!('identity' in verdict)) throw new Error(verdict.refused);
    expect(verdict.identity).toMatchObject({
      user: 'alice',
      methods: ['ImageServer.*', 'ObjectServer.GetObjects'],
    });
    expect([...verdict.identity.groups]).toEqual(['imgadmins', 'grüppe']);
  });

  test('for another server', async () => {
    await init();
    expect((await certificate('-server', '-user=replica1', '-host=r.example.org')).status).toBe(0);
    const [leaf] = parsePem(readFileSync(join(output(), 'replica1.cert'), 'utf8'));
    expect(leaf?.x509.checkHost('r.example.org')).toBe('r.example.org');
    expect(leaf?.x509.checkHost('replica1')).toBe('replica1');
  });

  test('never longer than its CA', async () => {
    await init('-caDays=5');
    await certificate('-user=alice', '-days=100');
    const [leaf] = parsePem(readFileSync(join(output(), 'alice.cert'), 'utf8'));
    const [ca] = parsePem(readFileSync(at('etc/ssl/CA.pem'), 'utf8'));
    expect(leaf?.notAfter).toBe(ca?.notAfter as number);
  });

  test('existing files are kept unless told', async () => {
    await init();
    await certificate('-user=alice');
    const before = snapshot();
    const refused = await certificate('-user=alice', '-methods=*.*');
    expect(refused).toMatchObject({
      status: 1,
      err: expect.stringContaining('exists already; -force overwrites it'),
    });
    expect(snapshot()).toEqual(before);
    expect((await certificate('-user=alice', '-force')).status).toBe(0);
    expect(snapshot()).not.toEqual(before);
  });

  test.if(process.getuid?.() === 0)('files in a home belong to its owner', async () => {
    await init();
    mkdirSync(output(), { recursive: true });
    chownSync(output(), 4711, 4712);
    const inside = join(output(), 'not-there-yet', '.ssl');
    expect((await certificate('-user=alice', `-output=${inside}`)).status).toBe(0);
    for (const name of ['', '..', 'alice.cert', 'alice.key', 'serverCA.pem'])
      expect([name, statSync(join(inside, name)).uid, statSync(join(inside, name)).gid]).toEqual([
        name,
        4711,
        4712,
      ]);
    expect(mode(join(inside, 'alice.key'))).toBe(0o600);
  });

  test('a CA file for other servers is kept', async () => {
    await init();
    mkdirSync(output(), { recursive: true });
    writeFileSync(join(output(), 'serverCA.pem'), 'another\n');
    expect((await certificate('-user=alice')).out).toContain('serverCA.pem  kept, but it differs');
  });

  test.each([
    [2, '-user NAME is wanted', []],
    [2, '-user NAME is wanted', ['-user=../x']],
    [2, '-user NAME is wanted', ['-user=.hidden']],
    [2, '-user NAME is wanted', ['-user=two\nlines']],
    [2, '-user: at most 64 characters', [`-user=${'a'.repeat(65)}`]],
    [2, 'bad method "ImageServer"', ['-user=a', '-methods=ImageServer']],
    [2, 'bad method " ObjectServer.*"', ['-user=a', '-methods=ImageServer.*, ObjectServer.*']],
    [2, '-host is for servers', ['-user=a', '-host=x']],
  ])('status %i: %s', async (status, text, args) => {
    await init();
    expect(await certificate(...args)).toMatchObject({ status, err: expect.stringContaining(text) });
  });

  test('no CA, a CA of somebody else', async () => {
    expect(await certificate('-user=a')).toMatchObject({
      status: 1,
      err: expect.stringContaining('cannot use the CA'),
    });
    await init();
    writeFileSync(at('etc/ssl/private/CA.key'), readFileSync(at('etc/ssl/imageserver/key.pem')));
    expect((await certificate('-user=a')).err).toContain('private key does not match public key');
  });
});
