import { describe, expect, test } from 'bun:test';
import type { FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
import { parseComputedFiles, parseComputedFilesJson, spliceComputedFiles } from './computed-files.ts';
import { copyMtimes } from './copy-mtimes.ts';
import { prunePaths } from './prune.ts';
import { replaceFiles } from './replace-files.ts';
import { checkRequiredPaths } from './required-paths.ts';
import { countTree, findPath, inodeNumbers } from './tree.ts';
import { estimateUsage } from './usage.ts';

const file = (Size: bigint, MtimeSeconds = 1n, Hash = 'aa'): GenericInode => ({
  Kind: 'regular',
  Mode: 0o100644,
  Uid: 0,
  Gid: 0,
  MtimeNanoSeconds: 5,
  MtimeSeconds,
  Size,
  Hash,
});
const directory = (entries: Record<string, bigint>) => ({
  EntryList: Object.entries(entries).map(([Name, InodeNumber]) => ({ Name, InodeNumber })),
  EntriesByName: null,
  Mode: 0o40755,
  Uid: 0,
  Gid: 0,
});
/** /a (4097 bytes, also /d/hard), /d, /d/one, /l */
function tree(change: Partial<Record<'a' | 'one', GenericInode>> = {}): FileSystem {
  return countTree({
    InodeTable: new Map<bigint, GenericInode>([
      [1n, change.a ?? file(4097n)],
      [2n, { Kind: 'directory', ...directory({ hard: 1n, one: 3n }) }],
      [3n, change.one ?? file(1n)],
      [4n, { Kind: 'symlink', Uid: 0, Gid: 0, Symlink: 'a' }],
    ]),
    NumRegularInodes: 0n,
    TotalDataBytes: 0n,
    DirectoryCount: 0n,
    DirectoryInode: directory({ a: 1n, d: 2n, l: 4n }),
  });
}

test('counting, numbers, usage', () => {
  expect(tree()).toMatchObject({ NumRegularInodes: 2n, TotalDataBytes: 4098n, DirectoryCount: 2n });
  expect([...inodeNumbers(tree())]).toEqual([
    ['/a', 1n],
    ['/d', 2n],
    ['/d/hard', 1n],
    ['/d/one', 3n],
    ['/l', 4n],
  ]);
  expect(estimateUsage(tree())).toBe(4096n * 4n + 64n);
});

test('pruning', () => {
  const pruned = prunePaths(tree(), (path) => path === '/d');
  expect([...inodeNumbers(pruned).keys()]).toEqual(['/a', '/l']);
  expect(pruned).toMatchObject({ NumRegularInodes: 1n, TotalDataBytes: 4097n, DirectoryCount: 1n });
});

describe('computed files', () => {
  test('both forms of the list', () => {
    expect([...parseComputedFiles('# c\n\n/d/one  host:1\n')]).toEqual([['/d/one', 'host:1']]);
    expect([...parseComputedFilesJson('[{"Filename":"/x","Source":"h:2"}]')]).toEqual([['/x', 'h:2']]);
    expect(() => parseComputedFiles('one')).toThrow('bad line: one');
    expect(() => parseComputedFilesJson('{"a":')).toThrow(
      'error decoding computed files list unexpected EOF',
    );
  });
  const splice = (path: string) => spliceComputedFiles(tree(), new Map([[path, 'h:1']]));
  test('one link only', () => {
    const spliced = splice('/d/one');
    expect(findPath(spliced, '/d/one')).toEqual({
      Kind: 'computed',
      Mode: 0o100644,
      Uid: 0,
      Gid: 0,
      Source: 'h:1',
    });
    expect(spliced.NumRegularInodes).toBe(1n);
    expect(() => splice('/a')).toThrow('cannot splice computed files: /a: multiple inodes: 2');
    expect(() => splice('/nope')).toThrow('cannot splice computed files: /nope: missing from image');
    expect(() => splice('/d')).toThrow('/d: not a regular file');
  });
});

test('required paths', () => {
  checkRequiredPaths(tree(), ['/a:f', '/d:d', '/l:l', '/a:z']);
  expect(() => checkRequiredPaths(tree(), ['/nope:f'])).toThrow('VerifyRequiredPaths(): missing path: /nope');
  expect(() => checkRequiredPaths(tree(), ['/d:f'])).toThrow(
    'VerifyRequiredPaths(): path is not a regular file: /d',
  );
});

test('times of what did not change', () => {
  const copied = copyMtimes(tree({ a: file(4097n, 9n), one: file(2n, 9n) }), tree());
  expect(findPath(copied, '/a')).toMatchObject({ MtimeSeconds: 1n });
  expect(findPath(copied, '/d/one')).toMatchObject({ MtimeSeconds: 9n });
});

test('layers', () => {
  const layer = { ...tree(), InodeTable: new Map([[7n, file(9n)]]), DirectoryInode: directory({ a: 7n }) };
  expect(findPath(replaceFiles(tree(), layer), '/d/hard')).toMatchObject({ Size: 9n });
  expect(() => replaceFiles(tree(), { ...layer, DirectoryInode: directory({ new: 7n }) })).toThrow(
    '/new missing in base image',
  );
  expect(() => replaceFiles(tree(), { ...layer, DirectoryInode: directory({ l: 7n }) })).toThrow(
    '/l changed type',
  );
});
