/** Commands that bring directories of this machine and images together: filtered files, patches. They need root and mounts. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectationsOf, imagetoolCommand } from './imagetool.ts';
import { runProgram, startServer, type TestServer } from './server.ts';
import { canMount, describeTree, isRoot, makeTree } from './tool-tree.ts';

// Each command is a process of its own.
setDefaultTimeout(60_000);

const directory = mkdtempSync(join(tmpdir(), 'tool-directories-'));
const at = (...parts: string[]) => join(directory, ...parts);
let server: TestServer;

const command = (args: readonly string[]) => imagetoolCommand(server.port, args);
const environment = { env: { TZ: 'UTC', HOME: directory, TMPDIR: at('tmp') }, cwd: directory };

async function tool(...args: string[]) {
  const result = await runProgram(command(args), environment);
  // Whatever happens, the place where the directory was seen is gone.
  expect(readdirSync(at('tmp'))).toEqual([]);
  return result;
}
const { succeed } = expectationsOf(tool);
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
  writeFileSync(at('filter-sticky'), '/sticky/.*\n');
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

asRoot('a directory becomes equal to an image', () => {
  const patched = (name: string) =>
    describeTree(at(name), (path) => path === '/var').filter((line) => !line.startsWith('/odd/'));
  let wanted: string[] = [];
  const freeze = (flag: string) =>
    Bun.spawnSync(['chattr', flag, at('new/etc/hostname'), at('new/etc/passwd')]);
  // What is still frozen could not be removed.
  afterAll(() => void freeze('-i'));
  const canFreeze = () => {
    writeFileSync(at('probe'), '');
    return ['+i', '-i'].every((flag) => Bun.spawnSync(['chattr', flag, at('probe')]).success);
  };
  beforeAll(async () => {
    rmSync(at('tree/var'), { recursive: true });
    await succeed('add', 'base/owned', 'tree', 'filter', '');
    wanted = patched('tree');
    writeFileSync(at('empty'), '');
    mkdirSync(at('only'));
    writeFileSync(at('only/one'), 'contents that only this image has');
    await succeed('-requiredPaths=/one:f', 'add', 'base/only', 'only', 'empty', '');
  });
  const told = async (args: string[], status = 0) => {
    const result = await tool(...args);
    expect({ status: result.status, stdout: result.stdout }).toEqual({ status, stdout: '' });
    return result.stderr
      .split('\n')
      .sort()
      .filter((line) => line !== '');
  };

  test('from nothing, and again', async () => {
    mkdirSync(at('new'));
    mkdirSync(at('new/.subd/imagetool'), { recursive: true });
    writeFileSync(at('new/.subd/imagetool/1'), 'left by a run that was killed');
    expect(await told(['patch-directory', 'base/owned', 'new'])).toContain(
      'Made directory: new/etc (mode=drwxr-xr-x)',
    );
    expect(patched('new')).toEqual(wanted);
    expect(readFileSync(at('new/var/lib/patched-image'), 'utf8')).toBe('base/owned\n');
    expect(readdirSync(at('new'))).not.toContain('.subd');
    expect(await told(['patch-directory', 'base/owned', 'new'])).toEqual(['Deleted: new/var']);
  });
  test('where directories are in the way, and links are all that is new', async () => {
    rmSync(at('new/etc/hostname'));
    mkdirSync(at('new/etc/hostname/deep'), { recursive: true });
    rmSync(at('new/usr/bin/app-copy'));
    linkSync(at('new/usr/bin/app'), at('new/usr/bin/app-copy'));
    const lines = await told(['patch-directory', 'base/owned', 'new/']);
    expect(lines.map((line) => line.replace(/from: .*/, 'from: HASH'))).toEqual([
      'Deleted: new/var',
      'Made inode: new/etc/hostname from: HASH',
      'Made inode: new/usr/bin/app-copy from: HASH',
    ]);
    expect(patched('new')).toEqual(wanted);
    await succeed('add', 'base/linked', 'new', '', '');
    rmSync(at('new/odd/hard'), { force: true });
    linkSync(at('new/etc/passwd'), at('new/odd/hard'));
    await succeed('add', 'base/linked2', 'new', '', '');
    rmSync(at('new/odd/hard'));
    expect(await told(['patch-directory', 'base/linked2', 'new'])).toEqual([
      'Linked: new/odd/hard => new/etc/passwd',
    ]);
  });
  test('with contents that are there already', async () => {
    renameSync(at('new/usr/bin/app'), at('new/usr/moved'));
    rmSync(at('new/usr/bin/app-copy'));
    const lines = await told(['-logDebugLevel=0', 'patch-directory', 'base/owned', 'new']);
    expect(lines).toContain('fetching 0 objects');
    expect(lines).toContain('Deleted: new/usr/moved');
    expect(patched('new')).toEqual(wanted);
  });
  test('but for what the filter leaves alone', async () => {
    mkdirSync(at('new/var/log/kept'), { recursive: true });
    writeFileSync(at('new/var/log/kept/file'), 'kept');
    writeFileSync(at('new/var/gone'), 'gone');
    expect(await told(['patch-directory', 'base/owned', 'new'])).toEqual([
      'Deleted: new/var, but what the filter leaves alone',
    ]);
    expect(describeTree(at('new/var')).map((line) => line.split(' ')[0])).toEqual([
      '',
      '/lib',
      '/lib/patched-image',
      '/log',
      '/log/kept',
      '/log/kept/file',
    ]);
  });
  test('files hidden by a mount count, those of the mount do not', async () => {
    const script = `mount -t tmpfs none new/usr && mkdir -p new/usr/mounted && "$@" && ls new/usr`;
    const args = command(['patch-directory', 'base/owned', 'new']);
    const wrapped = ['unshare', '-m', '--propagation', 'private', 'sh', '-ec', script, 'sh', ...args];
    writeFileSync(at('new/usr/hidden'), 'hidden');
    const result = await runProgram(wrapped, environment);
    expect(result).toMatchObject({ status: 0, stdout: 'mounted\n' });
    expect(result.stderr).toContain('Deleted: new/usr/hidden\n');
    expect(patched('new')).toEqual(wanted);
  });

  describe('what is refused changes nothing', () => {
    const unchanged = async (args: string[], message: string) => {
      const before = describeTree(at('new'));
      await fail(args, `Error patching directory: ${message}`);
      expect(describeTree(at('new'))).toEqual(before);
    };
    test('mistakes', async () => {
      await unchanged(['patch-directory', 'base/none', 'new'], 'base/none: not found');
      await unchanged(
        ['patch-directory', 'base/owned', 'none'],
        'unable to bind mount none to PLACE: no such file or directory',
      );
    });
    test('a file in place of a directory where the filter leaves something alone', async () => {
      rmSync(at('new/sticky'), { recursive: true });
      mkdirSync(at('flat'));
      writeFileSync(at('flat/sticky'), 'a file');
      mkdirSync(at('new/sticky'));
      writeFileSync(at('new/sticky/kept'), 'kept');
      await succeed('-requiredPaths=/sticky:f', 'add', 'base/flat', 'flat', 'filter-sticky', '');
      await unchanged(
        ['patch-directory', 'base/flat', 'new'],
        '/sticky: is no directory in the image, and the filter leaves /sticky/kept alone',
      );
    });
    test('an agent directory that leads elsewhere', async () => {
      mkdirSync(at('elsewhere'));
      symlinkSync(at('elsewhere'), at('new/.subd'));
      await unchanged(['patch-directory', 'base/owned', 'new'], '/.subd is not a directory');
      expect(readdirSync(at('elsewhere'))).toEqual([]);
      rmSync(at('new/.subd'));
    });
    test('an image whose objects are not all there', async () => {
      const hash = new Bun.CryptoHasher('sha512').update('contents that only this image has').digest('hex');
      rmSync(join(server.directory, 'objects', hash.slice(0, 2), hash.slice(2, 4), hash.slice(4)));
      await unchanged(['patch-directory', 'base/only', 'new'], 'unexpected EOF');
    });
  });

  test('files that are immutable', async () => {
    if (!canFreeze()) return;
    for (const name of ['etc/hostname', 'etc/passwd']) writeFileSync(at('new', name), 'frozen');
    freeze('+i');
    const result = await runProgram(command(['patch-directory', 'base/owned', 'new']), {
      ...environment,
      env: { ...environment.env, PATH: '/none' },
    });
    expect(result.status).toBe(1);
    expect(result.stderr.split('\n').slice(-2)).toEqual([
      'Error patching directory: 2 changes could not be made, all others were',
      '',
    ]);
    expect(result.stderr).toMatch(
      /^rename new\/.subd\/imagetool\/\d+ new\/etc\/passwd: operation not permitted$/m,
    );
    await told(['patch-directory', 'base/owned', 'new']);
    expect(patched('new')).toEqual(wanted);
  });
});
