/** imagetool and objecttool against our server: images in and out, every command, exit statuses. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectationsOf, imagetoolCommand } from './imagetool.ts';
import { programCommand, runProgram, startServer, type TestServer } from './server.ts';
import { describeTree, isRoot, makeTree } from './tool-tree.ts';

// Each command is a process of its own.
setDefaultTimeout(60_000);

let server: TestServer;
const directory = mkdtempSync(join(tmpdir(), 'tool-test-'));
const at = (...parts: string[]) => join(directory, ...parts);

/** Runs imagetool with time zone UTC and no certificates. */
function tool(...args: string[]) {
  return runProgram(imagetoolCommand(server.port, args), {
    env: { TZ: 'UTC', HOME: directory },
    cwd: directory,
  });
}
const { succeed, fail } = expectationsOf(tool);
const added = (path: string) => path.startsWith('/var');

beforeAll(async () => {
  server = await startServer({ args: ['-objectGracePeriod=0s', '-trashGracePeriod=0s'] });
  makeTree(at('tree'));
  writeFileSync(at('empty'), '');
  writeFileSync(at('filter'), '/tmp/.*\n# comment\n\n/var/log/.*\n');
  writeFileSync(at('bad'), '(\n');
  writeFileSync(
    at('triggers'),
    '[{"MatchLines":["/etc/.*"],"Service":"net"},{"MatchLines":["/no"],"Service":"no"}]',
  );
  writeFileSync(at('notes'), 'release notes\n');
  await succeed('mkdir', 'base');
  await succeed('add', 'base/img.9', 'tree', 'filter', 'triggers');
}, 60_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

describe('a tree goes in and comes out the same', () => {
  const skip = (path: string) => added(path);
  test.skipIf(!isRoot)('as root', async () => {
    await succeed('get', 'base/img.9', 'out');
    expect(describeTree(at('out'), skip)).toEqual(describeTree(at('tree'), skip));
    expect(readFileSync(at('out/var/lib/initial-image'), 'utf8')).toBe('base/img.9\n');
    expect(readdirSync(at('out'))).not.toContain('.inodes');
  });
  test('through archives', async () => {
    await succeed('tar', 'base/img.9', 'image.tar');
    await succeed('-compress', 'tar', 'base/img.9', 'image.tgz');
    const listing = await succeed('show', 'base/img.9');
    for (const [name, source] of [
      ['t', 'image.tar'],
      ['z', 'image.tgz'],
    ] as const) {
      await succeed('add', `base/${name}`, source, 'filter', 'triggers');
      expect(await succeed('show', `base/${name}`)).toBe(listing);
      expect(await succeed('-json', 'diff', 'base/img.9', `base/${name}`)).toBe('[]\n');
    }
  });
  test('through a pipe', async () => {
    const command = programCommand('imagetool')
      .map((word) => `'${word}'`)
      .join(' ');
    const flags = `-certDirectory= -imageServerHostname=127.0.0.1 -imageServerPortNum=${server.port}`;
    const script = `${command} ${flags} tar base/img.9 | ${command} ${flags} add base/pipe - filter triggers`;
    expect(
      await runProgram(['sh', '-c', script], { env: { HOME: directory }, cwd: directory }),
    ).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(await succeed('show', 'base/pipe')).toBe(await succeed('show', 'base/img.9'));
  });
  test('links in the target do not lead out of it', async () => {
    mkdirSync(at('outside'));
    mkdirSync(at('trap'));
    symlinkSync(at('outside'), at('trap/etc'));
    symlinkSync(at('outside'), at('trap/var'));
    const { status, stderr } = await tool('-no-same-owner', 'get', 'base/img.9', 'trap');
    expect(status).toBe(0);
    expect(stderr).toContain('is not a directory');
    expect(readdirSync(at('outside'))).toEqual([]);
  });
});

describe('listing', () => {
  test('byte for byte', async () => {
    const lines = (await succeed('show', 'base/img.9')).split('\n');
    const hash = createHash('sha512').update('host\n').digest('hex');
    const owner = `${String(process.getuid?.() ?? 0).padStart(5)} ${String(process.getgid?.() ?? 0).padStart(5)}`;
    expect(lines).toContain(
      `-rw-r--r--   1 ${owner}          5 31 Dec 1969 23:59:58 UTC /etc/hostname ${hash}`,
    );
    expect(lines).toContain(`prw-r--r--   1 ${owner}            01 Jan 1970 00:00:01 UTC /dev/fifo`);
    expect(lines).toContain(
      `lrwxrwxrwx   1 ${owner}                                     /odd/link -> ../etc/passwd`,
    );
  });
  test('of a directory of this machine', async () =>
    expect(await succeed('show', 'd:tree')).toBe(await succeed('show', 'base/img.9')));
  test('paths alone, without what a filter takes out', async () => {
    writeFileSync(at('hide'), '/odd\n/dev/.*\n');
    const text = await succeed('-skipFields=mlugstd', '-filterFile=hide', 'show', 'base/img.9');
    expect(text).toBe(
      '/\n/dev\n/etc\n/etc/empty\n/etc/hostname\n/etc/passwd\n/sticky\n/usr\n/usr/bin\n/usr/bin/app\n/usr/bin/app-copy\n',
    );
  });
});

test('images in version order', async () => {
  await succeed('copy', 'base/img.10', 'base/img.9');
  const names = JSON.parse(await succeed('-json', 'list')) as string[];
  expect(names.indexOf('base/img.9')).toBe(names.indexOf('base/img.10') - 1);
  expect(await succeed('list')).toBe(names.map((name) => `${name}\n`).join(''));
  expect(await succeed('find-latest-image', 'base')).toBe('base/img.10\n');
});

test('directories', async () => {
  await succeed('mkdir', '-p', 'x/y/z');
  await succeed('mkdir', '-p', 'x/y/z');
  expect(await succeed('listdirs')).toBe('.\nbase\nx\nx/y\nx/y/z\n');
  await succeed('check-directory', 'x/y');
  expect((await tool('check-directory', 'nope')).status).toBe(1);
  await fail(['mkdir', 'base'], 'Error creating directory: directory: base already exists');
  await fail(['mkdir', 'a/b'], 'Error creating directory: no metadata for: a');
});

describe('what comes with an image', () => {
  test('filter, triggers, annotations, life', async () => {
    await succeed(
      '-releaseNotes=notes',
      '-buildLog=https://ci/1',
      '-expiresIn=1h',
      'add',
      'base/full',
      'tree',
      'filter',
      'triggers',
    );
    expect(await succeed('show-filter', 'base/full')).toBe('/tmp/.*\n/var/log/.*\n');
    expect(JSON.parse(await succeed('show-triggers', 'base/full'))).toHaveLength(2);
    expect(JSON.parse(await succeed('match-triggers', 'base/full', 'triggers'))).toEqual([
      { MatchLines: ['/etc/.*'], Service: 'net' },
    ]);
    const data = JSON.parse(await succeed('get-archive-data', 'base/full', '-'));
    expect(data).toMatchObject({
      Filter: null,
      BuildLog: { Object: null, URL: 'https://ci/1' },
      ReleaseNotes: { Object: createHash('sha512').update('release notes\n').digest('hex'), URL: '' },
    });
    expect(await succeed('get-build-log', 'base/full')).toBe('https://ci/1\n');
    expect(await succeed('get-image-expiration', 'base/full')).toMatch(
      /^image expires at \S+ \S+ \+0000 UTC \(in 59m\d+s\)\n$/,
    );
    await succeed('change-image-expiration', 'base/full');
    expect(await succeed('get-image-expiration', 'base/full')).toBe('image does not expire\n');
  });
  test('an image of another', async () => {
    await succeed('addi', 'base/sparse', 'base/img.9', '', '');
    await fail(['show-filter', 'base/sparse'], 'Error showing image filter: no filter');
    await fail(
      ['addi', 'base/sparse', 'base/img.9', '', ''],
      'Error adding image: "base/sparse"\timage exists',
    );
  });
  test('computed files', async () => {
    writeFileSync(at('computed'), '/etc/hostname gen:6972\n');
    await succeed('-computedFiles=computed', 'add', 'base/computed', 'tree', 'empty', '');
    expect(await succeed('show', 'base/computed')).toContain(
      '   computed                          /etc/hostname <- gen:6972\n',
    );
    writeFileSync(at('computed'), '/etc/passwd gen:6972\n');
    await fail(
      ['-computedFiles=computed', 'add', 'base/c', 'tree', 'empty', ''],
      'Error adding image: "base/c": cannot splice computed files: /etc/passwd: multiple inodes: 2',
    );
  });
  test('layers', async () => {
    mkdirSync(at('layer/etc'), { recursive: true });
    writeFileSync(at('layer/etc/hostname'), 'other\n');
    await succeed('addrep', 'base/layered', 'base/img.9', 'layer');
    expect(await succeed('get-file-in-image', 'base/layered', '/etc/hostname')).toBe('other\n');
    writeFileSync(at('layer/etc/new'), 'new\n');
    await fail(
      ['addrep', 'base/layered2', 'base/img.9', 'layer'],
      'Error adding image: "base/layered2": /etc/new missing in base image',
    );
  });
});

describe('single files', () => {
  test('to stdout and to a file', async () => {
    expect(await succeed('get-file-in-image', 'base/img.9', '/etc/hostname')).toBe('host\n');
    expect(await succeed('get-file-in-image', 'base/img.9', '/etc/empty')).toBe('');
    await succeed('get-file-in-image', 'base/img.9', '/usr/bin/app', 'app');
    expect(readFileSync(at('app'), 'utf8')).toBe('x'.repeat(300_000));
  });
  const refused: readonly [string, string][] = [
    ['/nope', 'file: "/nope" not present in image'],
    ['etc/hostname', 'file: "etc/hostname" not present in image'],
    ['/etc', 'file: "/etc" is not a regular file'],
  ];
  for (const [path, text] of refused)
    test(path, () => fail(['get-file-in-image', 'base/img.9', path], `Error getting file in image: ${text}`));
});

describe('refusals', () => {
  const cases: readonly [string[], string][] = [
    [['add', 'base/img.9', 'tree', 'empty', ''], 'Error adding image: "base/img.9": image exists'],
    [
      ['add', '../evil', 'tree', 'empty', ''],
      'Error adding image: "../evil": bad image name: "../evil": a component begins with a dot',
    ],
    [
      ['add', 'base/n', 'none', 'empty', ''],
      'Error adding image: "base/n": error building image: lstat none: no such file or directory',
    ],
    [
      ['add', 'base/n', 'tree', 'bad', ''],
      'Error adding image: "base/n": error parsing regexp: missing closing ): `^(`',
    ],
    [
      ['add', 'base/n', 'tree', 'empty', 'bad'],
      `Error adding image: "base/n": error decoding triggers invalid character '(' looking for beginning of value`,
    ],
    [
      ['add', 'base/n', 'notes', 'empty', ''],
      'Error adding image: "base/n": error building image: unrecognised image type',
    ],
    [
      ['-requiredPaths=/nope:f', 'add', 'base/n', 'tree', 'empty', ''],
      'Error adding image: "base/n": VerifyRequiredPaths(): missing path: /nope',
    ],
    [
      ['-releaseNotes=typo', 'add', 'base/n', 'tree', 'empty', ''],
      'Error adding image: "base/n": open typo: no such file or directory (a URL begins with http:// or https://)',
    ],
    [['show', 'nope'], 'Error showing image: nope: not found'],
    [['show', 'z:x'], 'Error showing image: unknown image type: z'],
    [['get-archive-data', 'nope', '-'], 'Error getting image: nope: not found'],
    [['delete', 'nope'], 'Error deleting image: image does not exist'],
    [['find-latest-image', 'nope'], 'Error finding latest image: unknown directory: nope'],
    [
      ['diff', 'nosuchtool', 'base/img.9', 'base/img.9'],
      'Error diffing images: exec: "nosuchtool": executable file not found in $PATH',
    ],
    [['diff', 'diff', 'nope', 'base/img.9'], 'Error getting left image: nope: not found'],
    [['-timeout=100ms', 'show', 'nope'], 'Error showing image: nope: not found'],
  ];
  for (const [args, message] of cases) test(args.join(' '), () => fail(args, message));
  test('no server', async () => {
    const { status, stderr } = await tool('-imageServerPortNum=1', 'list');
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'Error dialing: 127.0.0.1:1: connection refused\n',
    });
  });
  test('detailed exit statuses', async () => {
    const statuses: [string[], number][] = [
      [['show', 'nope'], 3],
      [['copy', 'base/img.9', 'base/img.9'], 4],
      [['-imageServerPortNum=1', 'list'], 6],
      [['check', 'nope'], 1],
    ];
    for (const [args, status] of statuses)
      expect([args, (await tool('-detailedExitCodes', ...args)).status]).toEqual([args, status]);
  });
});

test('deleting leaves objects that can be listed and collected', async () => {
  mkdirSync(at('single'));
  writeFileSync(at('single/file'), 'only here');
  await succeed('add', 'base/single', 'single', '', '');
  await succeed('delete', 'base/single');
  const hash = createHash('sha512').update('only here').digest('hex');
  expect(await succeed('showunrefobj')).toContain(`${hash} 9\n`);
  await succeed('delunrefobj', '100', '0');
  expect(await succeed('listunrefobj')).toBe('');
});

test('objecttool', async () => {
  const objects = (...args: string[]) =>
    runProgram(
      [
        ...programCommand('objecttool'),
        '-certDirectory=',
        '-objectServerHostname=127.0.0.1',
        `-objectServerPortNum=${server.port}`,
        ...args,
      ],
      { env: { HOME: directory }, cwd: directory },
    );
  const hash = createHash('sha512').update('release notes\n').digest('hex');
  expect(await objects('-json', 'add', 'notes', 'empty', '/dev/null')).toEqual({
    status: 0,
    stdout: `${JSON.stringify({ notes: hash })}\n`,
    stderr: '',
  });
  expect(await objects('get', hash, '-')).toEqual({ status: 0, stdout: 'release notes\n', stderr: '' });
  expect((await objects('check', hash)).status).toBe(0);
  expect(
    (
      await objects(
        'check',
        hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      )
    ).status,
  ).toBe(1);
  writeFileSync(at('hashes'), `${hash}\n`);
  expect((await objects('mget', 'hashes', 'mget')).status).toBe(0);
  expect(readFileSync(at('mget', hash), 'utf8')).toBe('release notes\n');
  expect((await objects('mget', 'hashes', 'mget')).stderr).toBe(
    'Error getting objects: rename mget~ mget: file exists\n',
  );
  expect(existsSync(at('mget~'))).toBe(false);
});
