import { afterAll, describe, expect, setSystemTime, spyOn, test } from 'bun:test';
import { mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Authorization } from '../access/authorize.ts';
import { inDays, type Made, makeAuthority, makeClient } from '../access/certificates-fixture.ts';
import { openTlsServer, type TlsServer } from '../access/tls.ts';
import { acceptOn } from './accepted-socket.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tls-test-'));
const stops: (() => void)[] = [];
afterAll(() => {
  for (const stop of stops) stop();
  rmSync(scratch, { recursive: true, force: true });
});

const ca = await makeAuthority('Test CA');
const server = await makeClient('server', ca, {
  usages: ['server', 'client'],
  hosts: ['localhost', '127.0.0.1'],
});
const alice = await makeClient('alice', ca, { methods: ['ImageServer.*'] });
const files = {
  certFile: join(scratch, 'cert.pem'),
  keyFile: join(scratch, 'key.pem'),
  caFile: join(scratch, 'CA.pem'),
  identityCaFile: join(scratch, 'IdentityCA.pem'),
};
/** As administrators replace files: written beside, renamed into place. */
function put(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
function install(made: Made, authorities: readonly Made[]): void {
  put(files.certFile, made.cert);
  put(files.keyFile, made.key);
  put(files.caFile, authorities.map(({ cert }) => cert).join(''));
}
install(server, [ca]);

interface Met {
  readonly authorization?: Authorization;
  readonly reused?: boolean;
  /** From the record of the session alone. */
  readonly recognised?: boolean;
  readonly error?: string;
}

/** A port that shakes hands, tells who came, echoes what it gets. The first bytes are read before. */
async function listen(options: { timeoutMs?: number; required?: boolean } = {}) {
  const log: string[] = [];
  const tls: TlsServer = openTlsServer({ files, log: (line) => log.push(line) });
  const met: Met[] = [];
  const waiting: ((one: Met) => void)[] = [];
  const tell = (one: Met) => {
    met.push(one);
    waiting.shift()?.(one);
  };
  const port = acceptOn('127.0.0.1', 0, (socket) => {
    socket.once('data', async (first: Uint8Array) => {
      socket.pause();
      try {
        await socket.startTls(tls.parameters(), first, options.timeoutMs ?? 2000);
        const ask = spyOn(socket, 'getPeerCertificate');
        tell({
          authorization: tls.authorize(socket, { required: options.required ?? true }),
          reused: socket.isSessionReused(),
          recognised: ask.mock.calls.length === 0,
        });
        socket.on('data', (chunk: Uint8Array) => socket.write(chunk));
        socket.on('end', () => socket.end());
      } catch (error) {
        tell({ error: (error as Error).message });
      }
    });
  });
  stops.push(() => {
    tls.close();
    port.close();
  });
  return {
    tls,
    log,
    met,
    port: port.port,
    next: () => new Promise<Met>((resolve) => waiting.push(resolve)),
  };
}
type Port = Awaited<ReturnType<typeof listen>>;

/** Connects, has one line echoed. */
async function visit(
  port: Port,
  options: ConnectionOptions,
): Promise<{ socket: TLSSocket; met: Met; session: Promise<Buffer> }> {
  const next = port.next();
  const session = Promise.withResolvers<Buffer>();
  const echoed = Promise.withResolvers<void>();
  const socket = tlsConnect({ host: '127.0.0.1', port: port.port, ca: ca.cert, ...options });
  socket.on('session', (value) => session.resolve(value));
  socket.on('error', (error) => echoed.reject(error));
  socket.on('data', () => echoed.resolve());
  socket.on('secureConnect', () => socket.write('hello\n'));
  await echoed.promise;
  return { socket, met: await next, session: session.promise };
}
const userOf = ({ authorization }: Met) =>
  authorization && 'identity' in authorization ? authorization.identity.user : authorization;

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', (version) => {
  const only = { minVersion: version, maxVersion: version } as const;
  test('the client is known, also when its session is resumed', async () => {
    const port = await listen();
    const first = await visit(port, { ...only, ...alice });
    expect(first.met).toMatchObject({ reused: false, authorization: { identity: { user: 'alice' } } });
    expect(first.socket.getProtocol()).toBe(version);
    first.socket.destroy();
    const second = await visit(port, { ...only, ...alice, session: await first.session });
    expect(second.met.reused).toBe(true);
    expect(second.met.authorization).toEqual(first.met.authorization as Authorization);
    second.socket.destroy();
  });

  test('a client that came before is recognised, with the same certificates only', async () => {
    const port = await listen();
    const sub = await makeAuthority('Sub', ca, { methods: ['Sub.Method'] });
    const leaf = await makeClient('ivan', sub, { usages: ['any'] });
    const pair = { cert: leaf.cert + sub.cert, key: leaf.key };
    const visits = [];
    for (const who of [pair, pair, alice, alice, { ...pair, cert: leaf.cert }]) {
      const { socket, met } = await visit(port, { ...only, ...who });
      socket.destroy();
      visits.push([met.recognised, userOf(met)]);
    }
    expect(visits).toMatchObject([
      [false, 'ivan'],
      [true, 'ivan'],
      [false, 'alice'],
      [true, 'alice'],
      [false, { refused: 'issued by an unknown CA', who: expect.any(String) }],
    ]);
  });

  test('the intermediate of a resumed session is still there', async () => {
    const port = await listen();
    const sub = await makeAuthority('Sub', ca, { methods: ['Sub.Method'] });
    const leaf = await makeClient('ivan', sub, { usages: ['any'] });
    const pair = { cert: leaf.cert + sub.cert, key: leaf.key };
    const first = await visit(port, { ...only, ...pair });
    expect(userOf(first.met)).toBe('ivan');
    const second = await visit(port, { ...only, ...pair, session: await first.session });
    expect(second.met).toMatchObject({
      reused: true,
      authorization: { identity: { user: 'ivan', methods: ['Sub.Method'] } },
    });
    first.socket.destroy();
    second.socket.destroy();
  });

  test('a session does not outlive the CA that it was begun with', async () => {
    const port = await listen();
    const first = await visit(port, { ...only, ...alice });
    const other = await makeAuthority('Other CA');
    install(server, [other]);
    expect(port.tls.reload()).toBe(true);
    const second = await visit(port, { ...only, ...alice, session: await first.session });
    expect(second.met).toMatchObject({
      reused: false,
      authorization: { refused: 'issued by an unknown CA' },
    });
    install(server, [ca]);
    expect(port.tls.reload()).toBe(true);
    first.socket.destroy();
    second.socket.destroy();
  });

  test('a session does not outlive its certificate', async () => {
    const port = await listen();
    const first = await visit(port, { ...only, ...alice });
    const session = await first.session;
    setSystemTime(inDays(31));
    try {
      const second = await visit(port, { ...only, ...alice, session });
      expect(second.met).toMatchObject({
        reused: true,
        authorization: { refused: expect.stringContaining('expired at') },
      });
      second.socket.destroy();
    } finally {
      setSystemTime();
    }
    first.socket.destroy();
  });

  test('without a certificate: refused or a stranger', async () => {
    const strict = await visit(await listen(), only);
    expect(strict.met.authorization).toEqual({ refused: 'no client certificate', who: 'nobody' });
    const open = await visit(await listen({ required: false }), only);
    expect(open.met.authorization).toMatchObject({
      identity: { user: '', authenticated: false, methods: [] },
    });
    strict.socket.destroy();
    open.socket.destroy();
  });

  test('a bad certificate is refused where none is required, too', async () => {
    const port = await listen({ required: false });
    const expired = await makeClient('ed', ca, { notBefore: inDays(-9), notAfter: inDays(-2) });
    const { met, socket } = await visit(port, { ...only, ...expired });
    expect(met.authorization).toMatchObject({ refused: expect.stringContaining('expired at') });
    expect(met.authorization).toMatchObject({ who: expect.stringContaining('"ed" serial ') });
    socket.destroy();
  });
});

test('HTTP/1.1 is what the port speaks', async () => {
  const { socket } = await visit(await listen(), { ...alice, ALPNProtocols: ['h2', 'http/1.1'] });
  expect(socket.alpnProtocol).toBe('http/1.1');
  socket.destroy();
});

describe('handshakes that fail', () => {
  async function attempt(port: Port, speak: (socket: Socket) => void): Promise<Met> {
    const next = port.next();
    const socket = dial(port.port, '127.0.0.1', () => speak(socket));
    socket.on('error', () => undefined);
    const met = await next;
    if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve).resume());
    return met;
  }
  test('garbage', async () => {
    const met = await attempt(await listen(), (socket) => socket.write(Buffer.alloc(100, 0x41)));
    expect(met.error).toMatch(/WRONG_VERSION|HTTP_REQUEST|ssl/i);
  });
  test('a hello that never ends', async () => {
    const met = await attempt(await listen({ timeoutMs: 100 }), (socket) =>
      socket.write(Buffer.from('1603010200010001fc0303', 'hex')),
    );
    expect(met.error).toBe('TLS handshake not done after 100 ms');
  });
  test('a peer that leaves', async () => {
    const met = await attempt(await listen(), (socket) => {
      socket.end(Buffer.from('1603010200', 'hex'));
    });
    expect(met.error).toBeString();
  });
  test('a peer that resets', async () => {
    const port = await listen();
    const next = port.next();
    const socket = dial(port.port, '127.0.0.1', () =>
      socket.write(Buffer.from('1603010200', 'hex'), () => socket.resetAndDestroy()),
    );
    expect((await next).error).toBeString();
  });
  test('TLS 1.1', async () => {
    const port = await listen();
    const next = port.next();
    // A ClientHello of TLS 1.1 without extensions.
    const body = Buffer.concat([
      Buffer.from('0302', 'hex'),
      Buffer.alloc(32, 7),
      Buffer.from('00' + '0004' + 'c013002f' + '0100', 'hex'),
    ]);
    const handshake = Buffer.concat([Buffer.from([1, 0, 0, body.length]), body]);
    const socket = dial(port.port, '127.0.0.1', () =>
      socket.write(Buffer.concat([Buffer.from([0x16, 3, 1, 0, handshake.length]), handshake])),
    );
    const alert = new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect((await next).error).toContain('UNSUPPORTED_PROTOCOL');
    expect((await alert).subarray(5).toString('hex')).toBe('0246'); // fatal, protocol_version
    socket.destroy();
  });
});

describe('files', () => {
  test('changed files are noticed; connections made before live on', async () => {
    const port = await listen();
    const before = await visit(port, alice);
    const next = await makeAuthority('Next CA');
    const renewed = await makeClient('renewed', next, { usages: ['server', 'client'], hosts: ['127.0.0.1'] });
    const reloaded = new Promise<void>((resolve) => {
      const look = setInterval(() => {
        if (!port.log.some((line) => line.startsWith('Certificates reloaded: "renewed"'))) return;
        clearInterval(look);
        resolve();
      }, 10);
    });
    install(renewed, [ca, next]);
    await reloaded;
    const bob = await makeClient('bob', next);
    const after = await visit(port, { ...bob, ca: next.cert });
    expect(userOf(after.met)).toBe('bob');
    const echoed = new Promise((resolve) => before.socket.once('data', resolve));
    before.socket.write('still here\n');
    expect(String(await echoed)).toBe('still here\n');
    before.socket.destroy();
    after.socket.destroy();
    install(server, [ca]);
  });

  test.each([
    ['key that does not fit', () => put(files.keyFile, alice.key), 'private key does not match public key'],
    ['CA file without certificates', () => put(files.caFile, 'nothing\n'), 'no certificates in it'],
    ['no CA file', () => unlinkSync(files.caFile), 'unable to load CA file'],
    ['no key', () => unlinkSync(files.keyFile), 'unable to load keypair: open'],
    ['identity CA file without certificates', () => put(files.identityCaFile, ''), 'unable to parse CA file'],
  ])('%s: the old ones stay', async (_name, spoil, reason) => {
    install(server, [ca]);
    const port = await listen();
    spoil();
    expect(port.tls.reload()).toBe(false);
    expect(port.log.join('\n')).toContain(reason);
    const { met, socket } = await visit(port, alice);
    expect(userOf(met)).toBe('alice');
    socket.destroy();
    expect(() => openTlsServer({ files, log: () => undefined })).toThrow(reason);
    rmSync(files.identityCaFile, { force: true });
    install(server, [ca]);
  });

  test('certificates that expire soon are a warning', async () => {
    const soon = await makeClient('soon', ca, { notBefore: inDays(-400), notAfter: inDays(20) });
    install(soon, [ca]);
    const port = await listen();
    expect(port.tls.certificateStatus()).toMatchObject([
      { role: 'server', subject: 'soon', warning: true, daysLeft: 19 },
      { role: 'CA', subject: 'Test CA', warning: false },
    ]);
    expect(port.log[0]).toMatch(/^WARNING: certificate of the server "soon" expires on .* in 19 days$/);
    install(server, [ca]);
  });
});
