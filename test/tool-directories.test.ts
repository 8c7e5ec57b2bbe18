/** Commands that bring directories of this machine and images together: filtered files. They need root and mounts. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programCommand, runProgram, startServer, type TestServer } from './server.ts';
import { canMount, describeTree, isRoot, makeTree } from './tool-tree.ts';

// Each command is a process of its own.
setDefaultTimeout(60_000);

const directory = mkdtempSync(join(tmpdir(), 'tool-directories-'));
const at = (...parts: string[]) => join(directory, ...parts);
let server: TestServer;

const command = (args: readonly string[]) => [
  ...programCommand('imagetool'),
  '-certDirectory=',
  '-imageServerHostname=127.0.0.1',
  `-imageServerPortNum=${server.port}`,
  ...args,
];
const environment = { env: { TZ: 'UTC', HOME: directory, TMPDIR: at('tmp') }, cwd: directory };

async function tool(...args: string[]) {
  const result = await runProgram(command(args), environment);
  // Whatever happens, the place where the directory was seen is gone.
  expect(readdirSync(at('tmp'))).toEqual([]);
  return result;
}
async function succeed(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await tool(...args);
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return stdout;
}
async function fail(args: string[], message: string, status = 1): Promise<void> {
  const { stderr, ...rest } = await tool(...args);
  const neutral = stderr.replace(/to \/\S+:/, 'to PLACE:');
  expect({ args, ...rest, stderr: neutral }).toEqual({ args, status, stdout: '', stderr: `${message}\n` });
}

beforeAll(async () => {
  server = await startServer({ args: ['-objectGracePeriod=0s', '-trashGracePeriod=0s'] });
  mkdirSync(at('tmp'));
  makeTree(at('tree'));
  mkdirSync(at('tree/var/log'), { recursive: true });
  writeFileSync(at('filter'), '/odd/.*\n/var/log/.*\n');
  await succeed('mkdir', 'base');
  await succeed('add', 'base/img', 'tree', 'filter', '');
  await succeed('add', 'base/sparse', 'tree', '', '');
}, 60_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

test.skipIf(isRoot)('an ordinary user is told', () =>
  fail(
    ['scan-filtered-files', 'base/img', 'tree'],
    'Error scanning filtered files: unable to unshare mount namespace: operation not permitted (this command needs root)',
  ),
);

const asRoot = canMount ? describe : describe.skip;

asRoot('filtered files', () => {
  const NAMES = ['/odd/ ', '/odd/-a', '/odd/a\nb', '/odd/bad-link', '/odd/hard', '/odd/link', '/odd/😀'];
  beforeAll(() => {
    mkdirSync(at('tree/var/log/deep'));
    writeFileSync(at('tree/var/log/deep/syslog'), 'logged\n');
    chmodSync(at('tree/var/log/deep'), 0o2750);
    chmodSync(at('tree/var'), 0o711);
    chownSync(at('tree/var/log/deep/syslog'), 7, 8);
    writeFileSync(at('tree/var/log/set-user'), 'rights');
    chmodSync(at('tree/var/log/set-user'), 0o4755);
  });

  test('are listed, but not those that the scan is to leave out', async () => {
    expect(JSON.parse(await succeed('-json', 'scan-filtered-files', 'base/img', 'tree'))).toEqual([
      ...NAMES,
      '/odd/\udcffA',
    ]);
    expect(await succeed('-scanExcludeList=/odd/.*', 'scan-filtered-files', 'base/img', 'tree')).toBe(
      '/var/log/deep\n/var/log/deep/syslog\n/var/log/set-user\n',
    );
  });
  test('below mounts, which do not count', async () => {
    const script = `mount -t tmpfs none tree/var/log && touch tree/var/log/mounted && exec "$@"`;
    const args = ['-scanExcludeList=/odd/.*', 'scan-filtered-files', 'base/img', 'tree'];
    const wrapped = [
      'unshare',
      '-m',
      '--propagation',
      'private',
      'sh',
      '-ec',
      script,
      'sh',
      ...command(args),
    ];
    expect(await runProgram(wrapped, environment)).toEqual({
      status: 0,
      stdout: '/var/log/deep\n/var/log/deep/syslog\n/var/log/set-user\n',
      stderr: '',
    });
  });
  test('are copied, with the directories above them', async () => {
    mkdirSync(at('copy/odd'), { recursive: true });
    chmodSync(at('copy/odd'), 0o700);
    writeFileSync(at('copy/odd/-a'), 'old');
    writeFileSync(at('copy/odd/-a~'), 'somebody else has this');
    const args = ['-scanExcludeList=', '-logDebugLevel=0', 'copy-filtered-files', 'base/img', 'tree', 'copy'];
    expect((await tool(...args)).stderr.split('\n')).toEqual([
      'getting image: base/img',
      'scanning directory: tree',
      'not copied: /odd/bad-link',
      'not copied: /odd/link',
      'not copied: /var/log/set-user',
      '',
    ]);
    const [source, copy] = ['tree', 'copy'].map((name) =>
      describeTree(at(name)).filter((line) => /^\/(odd|var)/.test(line)),
    );
    const expected = source?.filter((line) => !/link|set-user/.test(line)) ?? [];
    // What was there keeps its mode; a link is a file by itself.
    expect(copy?.filter((line) => !line.startsWith('/odd/-a~'))).toEqual(
      expected.map((line) => line.replace(/^\/odd 40755/, '/odd 40700').replace(/ = \/etc\/passwd$/, '')),
    );
    expect(copy?.some((line) => line.startsWith('/odd/-a~'))).toBe(true);
  });
  test('of the destination are not copied into it again', async () => {
    mkdirSync(at('tree/var/log/copy'));
    await succeed('-scanExcludeList=/odd/.*', 'copy-filtered-files', 'base/img', 'tree', 'tree/var/log/copy');
    expect(readdirSync(at('tree/var/log/copy/var/log'))).toEqual(['deep']);
    rmSync(at('tree/var/log/copy'), { recursive: true });
  });
  test('links in the destination do not lead out of it', async () => {
    mkdirSync(at('outside'));
    mkdirSync(at('trap'));
    symlinkSync(at('outside'), at('trap/odd'));
    await fail(
      ['copy-filtered-files', 'base/img', 'tree', 'trap'],
      'Error copying filtered files: trap/odd: not a directory',
    );
    expect(readdirSync(at('outside'))).toEqual([]);
  });
  test('mistakes', async () => {
    const scanning = 'Error scanning filtered files:';
    await fail(
      ['scan-filtered-files', 'base/sparse', 'tree'],
      `${scanning} image: base/sparse is sparse: it has no filter`,
    );
    await fail(
      ['-detailed-exit-codes', 'scan-filtered-files', 'base/none', 'tree'],
      `${scanning} image: base/none not found`,
      3,
    );
    await fail(
      ['scan-filtered-files', 'base/img', 'none'],
      `${scanning} unable to bind mount none to PLACE: no such file or directory`,
    );
    const copying = 'Error copying filtered files:';
    await fail(
      ['copy-filtered-files', 'base/img', 'tree', 'none'],
      `${copying} stat none: no such file or directory`,
    );
    await fail(['copy-filtered-files', 'base/img', 'tree', 'filter'], `${copying} filter: not a directory`);
  });
});
