/** Programs of others as TLS clients: Go's standard library, openssl, curl, the original's imagetool. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { administer, places, recordedDirectory, startInstalled, startRecorded } from './access-lab.ts';
import { PEER_DIRECTORY } from './replication-lab.ts';
import { runProgram, type TestServer } from './server.ts';
import { haveVectors, vectorsPath } from './vectors.ts';

const scratch = mkdtempSync(join(tmpdir(), 'access-peers-'));
const root = join(scratch, 'root');
const other = join(scratch, 'other');
const users = join(scratch, 'users');
const strangers = join(scratch, 'strangers');
const { ca } = places(root);
const of = (directory: string, name: string) => ({
  cert: join(directory, `${name}.cert`),
  key: join(directory, `${name}.key`),
});
const alice = of(users, 'alice');
const mallory = of(strangers, 'mallory');
let server: TestServer;

beforeAll(async () => {
  await administer(root, 'init');
  await administer(other, 'init');
  await administer(root, 'certificate', '-user=alice', '-methods=ImageServer.*', `-output=${users}`);
  await administer(other, 'certificate', '-user=mallory', '-methods=*.*', `-output=${strangers}`);
  server = await startInstalled(root);
}, 60_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
});

const describeWith = (program: string) => (Bun.which(program) ? describe : describe.skip);
const BAD = 'remote error: tls: bad certificate';
const REFUSED_BY_METHOD = ['access to method denied', 'ImageServer: unknown method: Nope'];
const METHODS = ['ObjectServer.GetObjects', 'ImageServer.Nope'];

interface Visit {
  readonly error?: string;
  readonly version?: string;
  readonly resumed: boolean;
  readonly alpn?: string;
  readonly authorities?: string[];
  readonly replies: string[];
}

describeWith('go')('Go', () => {
  const program = join(scratch, 'tlspeer');
  beforeAll(async () => {
    const { status, stderr } = await runProgram(['go', 'build', '-o', program, '.'], {
      cwd: join(import.meta.dir, 'go', 'tlspeer'),
      env: { GOFLAGS: '-mod=mod', GOCACHE: join(scratch, 'go-cache'), GO111MODULE: 'on' },
    });
    if (status !== 0) throw new Error(stderr);
  }, 120_000);
  async function visits(args: string[], methods = METHODS): Promise<Visit[]> {
    const { stdout, stderr } = await runProgram([
      program,
      `-address=127.0.0.1:${server.port}`,
      `-CA=${ca}`,
      ...args,
      ...methods,
    ]);
    if (stdout === '') throw new Error(stderr);
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  }
  const pair = ({ cert, key }: typeof alice) => [`-cert=${cert}`, `-key=${key}`];

  for (const version of ['1.2', '1.3']) {
    test.each([
      ['inside of CONNECT', []],
      ['around CONNECT', ['-inside']],
      ['inside of CONNECT, JSON', ['-path=/_SRPC_/TLS/JSON']],
    ])(`TLS ${version} %s, then with the session resumed`, async (_name, args) => {
      const [first, second, third] = await visits([
        ...pair(alice),
        `-version=${version}`,
        '-visits=3',
        ...args,
      ]);
      expect(first).toMatchObject({ version, resumed: false, replies: REFUSED_BY_METHOD });
      expect(first?.authorities?.length).toBe(1);
      expect(second).toMatchObject({ version, resumed: true, replies: REFUSED_BY_METHOD });
      expect(third).toMatchObject({ version, resumed: true, replies: REFUSED_BY_METHOD });
    });

    test.each([
      ['no certificate', () => []],
      ['a certificate of another CA', () => pair(mallory)],
    ])(`TLS ${version}, %s`, async (_name, args) => {
      const all = [...args(), `-version=${version}`, '-visits=2'];
      for (const visit of await visits(all, ['ImageServer.ListImages']))
        expect(visit).toMatchObject({ replies: [BAD] });
      for (const visit of await visits([...all, '-inside'], ['ImageServer.ListImages']))
        expect(visit).toMatchObject({ error: 'HTTP/1.0 401 Unauthorized', replies: [] });
    });

    test(`TLS ${version}, a certificate without its key`, async () => {
      const [visit] = await visits([...pair(alice), `-version=${version}`, '-wrongKey']);
      expect(visit).toMatchObject({
        error: expect.stringContaining('error decrypting message'),
        replies: [],
      });
    });
  }

  test('TLS 1.1', async () => {
    const [visit] = await visits([...pair(alice), '-version=1.1']);
    expect(visit).toMatchObject({ error: 'handshake: remote error: tls: protocol version not supported' });
  });

  test.each([
    ['/_goSRPC_/', 405],
    ['/_SRPC_/unsecured/JSON', 405],
    ['/nothing', 404],
  ])('plain CONNECT to %s', async (path, status) => {
    const [visit] = await visits([`-path=${path}`]);
    expect(visit?.error).toStartWith(`HTTP/1.0 ${status} `);
  });

  test('HTTPS: strangers see the health page, callers are known', async () => {
    expect(await visits(['-get=/healthz', '-alpn=h2,http/1.1'], [])).toMatchObject([
      { alpn: 'http/1.1', replies: ['HTTP/1.1 200 OK'] },
    ]);
    expect(await visits(['-get=/rpc/ImageServer.CheckImage'], [])).toMatchObject([
      { replies: [expect.stringMatching(/^HTTP\/1.1 4\d\d /)] },
    ]);
    expect(await visits(['-get=/healthz', ...pair(mallory)], [])).toMatchObject([
      { replies: [expect.stringMatching(/^HTTP\/1.\d 401 /)] },
    ]);
  });
});

describeWith('openssl')('openssl', () => {
  const shake = (input: string, ...args: string[]) =>
    runProgram(
      [
        'openssl',
        's_client',
        '-connect',
        `127.0.0.1:${server.port}`,
        '-CAfile',
        ca,
        '-verify_return_error',
        ...args,
      ],
      { stdin: input },
    );
  const pair = ['-cert', alice.cert, '-key', alice.key];

  test.each(['-tls1_2', '-tls1_3'])('%s: the server is verified, its CA named', async (version) => {
    const { stdout } = await shake(
      'GET /healthz HTTP/1.0\r\n\r\n',
      version,
      '-quiet',
      ...pair,
      '-verify_hostname',
      'localhost',
    );
    expect(stdout).toContain('200 OK');
    const { stdout: talk } = await shake('', version, ...pair);
    expect(talk).toContain('Verify return code: 0 (ok)');
    expect(talk).toMatch(/Acceptable client certificate CA names\nO = imageserver, CN = imageserver CA of/);
    expect(talk).toContain('Peer signature type: ECDSA');
  });

  test('renegotiation is refused, other connections do not notice', async () => {
    const { stdout, stderr } = await shake('R\nGET /healthz HTTP/1.0\r\n\r\n', '-tls1_2', ...pair);
    expect(stderr + stdout).toMatch(/no renegotiation|RENEGOTIATING/);
    expect(stdout).not.toContain('200 OK');
    expect((await shake('GET /healthz HTTP/1.0\r\n\r\n', '-quiet', ...pair)).stdout).toContain('200 OK');
  });

  test.each([
    ['RSA key exchange', ['-tls1_2', '-cipher', 'AES128-SHA']],
    ['no encryption', ['-tls1_2', '-cipher', 'NULL-SHA256:@SECLEVEL=0']],
    ['anonymous', ['-tls1_2', '-cipher', 'aNULL:@SECLEVEL=0']],
  ])('weak ciphers are refused: %s', async (_name, args) => {
    expect((await shake('', ...args, ...pair)).stdout).toContain('Cipher is (NONE)');
  });
});

describeWith('curl')('curl', () => {
  const curl = (...args: string[]) =>
    runProgram(['curl', '-sS', '--max-time', '10', '--cacert', ca, '-w', '\n%{http_code}', ...args]);
  const url = (path: string) => `https://localhost:${server.port}${path}`;
  const call = ['-H', 'content-type: application/json', '-d', '{"ImageName":"x"}'];

  test('with a certificate', async () => {
    const { stdout, stderr } = await curl(
      '--cert',
      alice.cert,
      '--key',
      alice.key,
      ...call,
      url('/rpc/ImageServer.CheckImage'),
    );
    expect([stderr, stdout]).toEqual(['', '{"ImageExists":false}\n200']);
  });
  test('without one: told what is missing', async () => {
    const { stdout } = await curl(...call, url('/rpc/ImageServer.CheckImage'));
    expect(stdout).toEndWith('\n401');
    expect(stdout).toContain('needs a client certificate');
  });
  test('two requests on one connection', async () => {
    const { stdout } = await curl('--cert', alice.cert, '--key', alice.key, url('/healthz'), url('/healthz'));
    expect(stdout.match(/\n200/g)?.length).toBe(2);
  });
});

const withPeer =
  existsSync(join(PEER_DIRECTORY, 'run-original-server')) && PEER_DIRECTORY !== '' && haveVectors;
(withPeer ? describe : describe.skip)("the original's imagetool", () => {
  if (!withPeer) return;
  const home = mkdtempSync(join(tmpdir(), 'access-home-'));
  const certs = (...parts: string[]) => vectorsPath('certs', ...parts);
  let ours: TestServer;
  let original: { port: number; pid: number };
  // The original's server runs as another user.
  const data = join(PEER_DIRECTORY, 'data', `access-${process.pid}`);
  beforeAll(async () => {
    ours = await startRecorded('withIdentityCA');
    const port = 20_000 + (process.pid % 10_000);
    const { stdout, stderr, status } = await runProgram([
      join(PEER_DIRECTORY, 'run-original-server'),
      String(port),
      data,
      '-permitInsecureMode=false',
      `-CAfile=${certs('CA.pem')}`,
      `-identityCAfile=${certs('IdentityCA.pem')}`,
      `-certFile=${certs('server', 'cert.pem')}`,
      `-keyFile=${certs('server', 'key.pem')}`,
    ]);
    if (status !== 0) throw new Error(stderr);
    original = { port, pid: Number(stdout.trim()) };
  }, 60_000);
  afterAll(async () => {
    if (original) process.kill(original.pid);
    await ours[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
    rmSync(data, { recursive: true, force: true });
  });

  async function tool(port: number, client: string, ...command: string[]) {
    const { status, stdout, stderr } = await runProgram(
      [
        join(PEER_DIRECTORY, 'bin', 'imagetool'),
        `-certDirectory=${client === '' ? '' : recordedDirectory(client)}`,
        '-imageServerHostname=127.0.0.1',
        `-imageServerPortNum=${port}`,
        ...command,
      ],
      { env: { HOME: home } },
    );
    const neutral = (text: string) =>
      text
        .replaceAll(String(port), 'PORT')
        .replace(/(expired|valid for) \S+/g, '$1 SPAN')
        .replace(/read tcp \S+: connection reset by peer/g, 'EOF');
    return { status, stdout: neutral(stdout).split('\n').sort(), stderr: neutral(stderr) };
  }

  const clients = haveVectors ? readdirSync(vectorsPath('certs', 'clients')) : [];
  test.each(['', ...clients])(
    '"%s" gets the same from both servers',
    async (client) => {
      const name = `dir-${client}`;
      for (const command of [
        ['mkdir', name],
        ['listdirs'],
        ['list'],
        ['check', `${name}/x`],
        ['chown', name, 'games'],
        ['chown', '.', 'games'],
        ['delete', `${name}/x`],
        ['listunrefobj'],
        ['find-latest-image', name],
      ]) {
        const expected = await tool(original.port, client, ...command);
        const got = await tool(ours.port, client, ...command);
        // The original drops such clients without a word.
        const silent = client.startsWith('bad-method') && expected.stderr.endsWith('EOF\n');
        if (silent) {
          expect(got.status).toBe(expected.status);
          expect(got.stderr).toEndWith(`${BAD}\n`);
        } else expect([command, got]).toEqual([command, expected]);
      }
    },
    60_000,
  );

  test('refusals are in the log with the reason', () => {
    const log = readFileSync(join(ours.directory, 'logs', 'audit.log'), 'utf8');
    expect(log).toContain('malformed method list');
  });
});
