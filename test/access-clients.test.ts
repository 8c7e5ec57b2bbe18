/** Our own clients and TLS: which certificate is shown, whom they believe, when they speak plainly; a replica's too. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { administer, places, startInstalled } from './access-lab.ts';
import { programCommand, runProgram, startServer, type TestServer } from './server.ts';

const scratch = mkdtempSync(join(tmpdir(), 'access-clients-'));
const at = (...parts: string[]) => join(scratch, ...parts);
const root = at('root');
const other = at('other');
let server: TestServer;
let insecure: TestServer;

beforeAll(async () => {
  await administer(root, 'init');
  await administer(other, 'init');
  await administer(root, 'certificate', '-user=alice', '-methods=ImageServer.*', `-output=${at('alice')}`);
  await administer(
    other,
    'certificate',
    '-user=mallory',
    '-methods=ImageServer.*,ObjectServer.*',
    `-output=${at('mallory')}`,
  );
  mkdirSync(at('both'));
  for (const [name, from] of [
    ['alice.cert', 'alice'],
    ['alice.key', 'alice'],
    ['mallory.cert', 'mallory'],
    ['mallory.key', 'mallory'],
  ] as const)
    copyFileSync(at(from, name), at('both', name));
  server = await startInstalled(root);
  insecure = await startServer();
}, 60_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await insecure[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
});

const tool = (port: number, certificates: string, ...args: string[]) =>
  runProgram(
    [
      ...programCommand('imagetool'),
      '-imageServerHostname=127.0.0.1',
      `-imageServerPortNum=${port}`,
      `-certDirectory=${certificates}`,
      ...args,
    ],
    { env: { HOME: at('home') } },
  );

describe('imagetool', () => {
  test('shows its certificate and verifies the server, by address and by name', async () => {
    for (const host of ['127.0.0.1', 'localhost']) {
      const { status, stderr } = await tool(
        server.port,
        at('alice'),
        `-imageServerHostname=${host}`,
        'listdirs',
      );
      expect([host, stderr, status]).toEqual([host, '', 0]);
    }
    expect(await tool(server.port, at('alice'), 'mkdir', 'made-by-alice')).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  test('does not speak to a server of another CA', async () => {
    const { status, stderr } = await tool(server.port, at('mallory'), 'listdirs');
    expect(status).toBe(1);
    expect(stderr).toStartWith('Error dialing: 127.0.0.1:');
    expect(stderr).toMatch(/certificate/i);
  });

  test('does not believe a server of another name', async () => {
    const { status, stderr } = await tool(
      server.port,
      at('alice'),
      '-imageServerHostname=127.0.0.2',
      'listdirs',
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/127\.0\.0\.2/);
  });

  test('is refused with the words of the original', async () => {
    const { status, stderr } = await tool(server.port, at('mallory'), '-serverCAfile=none', 'listdirs');
    expect(status).toBe(1);
    expect(stderr).toContain('bad certificate');
    const none = await tool(server.port, '', 'listdirs');
    expect(none.stderr).toContain('missing certificate');
  });

  test('told to verify the server, is never given a plain connection unasked, certificates or not', async () => {
    const verify = `-serverCAfile=${at('alice', 'serverCA.pem')}`;
    const plain = await tool(insecure.port, '', verify, 'listdirs');
    expect(plain.status).toBe(1);
    expect(plain.stderr).toContain('plain connection was not allowed (-allowPlaintext allows it)');
    expect(await tool(insecure.port, '', verify, '-allowPlaintext', 'listdirs')).toMatchObject({ status: 0 });
    const refused = await tool(server.port, '', verify, 'listdirs');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('missing certificate: the server demands one of the client');
    // The server is looked at first.
    const wrong = `-serverCAfile=${at('mallory', 'serverCA.pem')}`;
    const stranger = await tool(server.port, '', wrong, 'listdirs');
    expect(stranger.status).toBe(1);
    expect(stranger.stderr).toMatch(/verify|self.signed|issuer/i);
  });

  test('with several certificates tries one after the other', async () => {
    expect(await tool(server.port, at('both'), 'listdirs')).toMatchObject({ status: 0, stderr: '' });
  });

  test('with a certificate speaks plainly only when told', async () => {
    const { status, stderr } = await tool(insecure.port, at('alice'), 'listdirs');
    expect(status).toBe(1);
    expect(stderr).toContain('plain connection was not allowed');
    expect(await tool(insecure.port, at('alice'), '-allowPlaintext', 'listdirs')).toMatchObject({
      status: 0,
    });
    expect(await tool(insecure.port, '', 'listdirs')).toMatchObject({ status: 0 });
  });
});

describe('a replica', () => {
  const listed = async (port: number) =>
    (await tool(port, at('alice'), 'listdirs')).stdout.split('\n').sort();

  /** Waits for a line in what the server says. */
  async function says(replica: TestServer, pattern: RegExp): Promise<void> {
    const end = Date.now() + 20_000;
    while (!pattern.test(replica.stderr())) {
      if (Date.now() > end) throw new Error(replica.stderr());
      await Bun.sleep(20);
    }
  }
  const master = () => ['-imageServerHostname=127.0.0.1', `-imageServerPortNum=${server.port}`];

  test('shows its server certificate to its master and verifies that', async () => {
    await administer(root, 'certificate', '-server', '-user=replica', `-output=${at('replica')}`);
    await using replica = await startServer({
      args: [
        '-permitInsecureMode=false',
        `-CAfile=${places(root).ca}`,
        `-certFile=${at('replica', 'replica.cert')}`,
        `-keyFile=${at('replica', 'replica.key')}`,
        '-identityCAfile=',
        ...master(),
      ],
    });
    await says(replica, /Replicated all current images/);
    expect(await listed(replica.port)).toEqual(await listed(server.port));
  }, 60_000);

  test('does not replicate from a master of another CA', async () => {
    await using replica = await startInstalled(other, ...master());
    await says(replica, /Error dialing.*certificate|certificate.*Error dialing/i);
    expect(replica.stderr()).not.toContain('Replicated all');
  }, 60_000);
});
