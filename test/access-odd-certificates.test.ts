/**
 * Odd certificates, shown by a client that looks at nothing, over TLS 1.2 and 1.3. Where the original's server is at hand
 * it is asked the same: what the cases say of it must be true.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { administer, places } from './access-lab.ts';
import { pem } from './certificate-writer.ts';
import { ODD, type OddCase, type Verdict } from './odd-certificates.ts';
import { PEER_DIRECTORY } from './replication-lab.ts';
import { runProgram, startServer, type TestServer } from './server.ts';

const scratch = mkdtempSync(join(tmpdir(), 'access-odd-'));
const at = (...parts: string[]) => join(scratch, ...parts);
const { cert, key } = places(at('root'));
const program = at('tlspeer');
const LANES = 4;
/** The original's server runs as another user. */
const originalData = PEER_DIRECTORY === '' ? '' : join(PEER_DIRECTORY, 'data', `odd-${process.pid}`);
const haveOriginal = PEER_DIRECTORY !== '' && existsSync(join(PEER_DIRECTORY, 'run-original-server'));

const flags = (files: string, withIdentityCa: boolean) => [
  '-permitInsecureMode=false',
  `-CAfile=${join(files, 'CA.pem')}`,
  `-identityCAfile=${withIdentityCa ? join(files, 'IdentityCA.pem') : ''}`,
];

function writeAuthorities(directory: string): void {
  writeFileSync(join(directory, 'CA.pem'), pem(...ODD.full));
  writeFileSync(join(directory, 'IdentityCA.pem'), pem(...ODD.identity));
}

/** What the server at `port` lets the client of a case do. */
async function ask(port: number, index: number, version: string): Promise<Verdict> {
  const { stdout, stderr } = await runProgram([
    program,
    '-raw',
    `-address=127.0.0.1:${port}`,
    `-cert=${at(`${index}.cert`)}`,
    `-key=${at(`${index}.key`)}`,
    `-version=${version}`,
    'ObjectServer.CheckObjects',
  ]);
  if (stdout === '') throw new Error(stderr);
  const { error, replies } = JSON.parse(stdout) as { error?: string; replies: string[] };
  const [reply] = replies;
  if (error !== undefined || reply === undefined || reply.startsWith('remote error'))
    return { accepted: false };
  if (reply !== '' && reply !== 'access to method denied') throw new Error(`unexpected answer: ${reply}`);
  return { accepted: true, methods: reply === '' };
}

/** Asks for all cases of a server's configuration; the answers by name. */
async function askAll(
  port: number,
  withIdentityCa: boolean,
  version: string,
): Promise<Record<string, Verdict>> {
  const waiting = [...ODD.cases.entries()].filter(([, one]) => one.withIdentityCa === withIdentityCa);
  const answers: Record<string, Verdict> = {};
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift())
      answers[next[1].name] = await ask(port, next[0], version);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return answers;
}

function expected(withIdentityCa: boolean, verdictOf: (one: OddCase) => Verdict): Record<string, Verdict> {
  const cases = ODD.cases.filter((one) => one.withIdentityCa === withIdentityCa);
  return Object.fromEntries(
    cases.map((one) => {
      const { accepted, methods } = verdictOf(one);
      return [one.name, accepted ? { accepted, methods: methods === true } : { accepted }];
    }),
  );
}

(Bun.which('go') ? describe : describe.skip)('odd certificates', () => {
  beforeAll(async () => {
    const { status, stderr } = await runProgram(['go', 'build', '-o', program, '.'], {
      cwd: join(import.meta.dir, 'go', 'tlspeer'),
      env: { GOFLAGS: '-mod=mod', GOCACHE: at('go-cache'), GO111MODULE: 'on' },
    });
    if (status !== 0) throw new Error(stderr);
    await administer(at('root'), 'init');
    writeAuthorities(scratch);
    for (const [index, { chain }] of ODD.cases.entries()) {
      writeFileSync(at(`${index}.cert`), pem(...chain));
      const [leaf] = chain;
      if (leaf)
        writeFileSync(at(`${index}.key`), leaf.keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    }
  }, 120_000);
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  describe.each([
    ['full-auth CA alone', false],
    ['with an identity CA', true],
  ])('%s', (_name, withIdentityCa) => {
    let server: TestServer;
    beforeAll(async () => {
      server = await startServer({
        args: [...flags(scratch, withIdentityCa), `-certFile=${cert}`, `-keyFile=${key}`],
      });
    }, 60_000);
    afterAll(() => server[Symbol.asyncDispose]());
    test.each(['1.2', '1.3'])(
      'TLS %s',
      async (version) => {
        expect(await askAll(server.port, withIdentityCa, version)).toEqual(
          expected(withIdentityCa, (one) => one.ours ?? one.original),
        );
      },
      120_000,
    );
  });

  test('certificates of the CA file that nobody can read are named in the log', async () => {
    await using server = await startServer({
      args: [...flags(scratch, false), `-certFile=${cert}`, `-keyFile=${key}`],
    });
    expect(server.stderr()).toMatch(/WARNING: certificate \d+ of CA file .* is left out: extension .* twice/);
  }, 60_000);

  (haveOriginal ? describe.each([false, true]) : describe.skip.each([false, true]))(
    'the original, with identity CA: %p',
    (withIdentityCa) => {
      const directory = join(originalData, String(withIdentityCa));
      let pid = 0;
      const port = 30_000 + (process.pid % 10_000) + Number(withIdentityCa);
      beforeAll(async () => {
        mkdirSync(directory, { recursive: true });
        writeAuthorities(directory);
        for (const [from, to] of [
          [cert, 'cert.pem'],
          [key, 'key.pem'],
        ] as const) {
          copyFileSync(from, join(directory, to));
          chmodSync(join(directory, to), 0o644);
        }
        const { stdout, stderr, status } = await runProgram([
          join(PEER_DIRECTORY, 'run-original-server'),
          String(port),
          directory,
          ...flags(directory, withIdentityCa),
          `-certFile=${join(directory, 'cert.pem')}`,
          `-keyFile=${join(directory, 'key.pem')}`,
        ]);
        if (status !== 0) throw new Error(stderr);
        pid = Number(stdout.trim());
      }, 60_000);
      afterAll(() => {
        if (pid) process.kill(pid);
        rmSync(originalData, { recursive: true, force: true });
      });
      test.each(['1.2', '1.3'])(
        'TLS %s',
        async (version) => {
          expect(await askAll(port, withIdentityCa, version)).toEqual(
            expected(withIdentityCa, (one) => one.original),
          );
        },
        120_000,
      );
    },
  );
});
