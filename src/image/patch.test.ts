import { describe, expect, test } from 'bun:test';
import type { DirectoryEntry, FileSystem, GenericInode, InodeOf } from '../wire/messages/filesystem.ts';
import { compileFilter } from './filter.ts';
import { planPatch } from './patch.ts';

const OWNER = { Uid: 1, Gid: 2 };
const TIME = { MtimeSeconds: 3n, MtimeNanoSeconds: 4 };
const file = (contents: string, more: Partial<InodeOf<'regular'>> = {}): GenericInode => ({
  Kind: 'regular',
  ...OWNER,
  ...TIME,
  Mode: 0o100644,
  Size: BigInt(contents.length),
  Hash: contents,
  ...more,
});
const link = (Symlink: string, Uid = 1): GenericInode => ({ Kind: 'symlink', Uid, Gid: 2, Symlink });
const device = (Mode: number, Rdev = 5n): GenericInode => ({
  Kind: 'special',
  ...OWNER,
  ...TIME,
  Mode,
  Rdev,
});
const directory = (EntryList: DirectoryEntry[], Mode = 0o40755) => ({
  EntryList,
  EntriesByName: null,
  Mode,
  ...OWNER,
});

/** Names to inodes, or to names that have the same inode; a map is a directory. */
interface Names {
  readonly [name: string]: GenericInode | Names | `=${string}`;
}
const isInode = (one: GenericInode | Names): one is GenericInode => typeof one.Kind === 'string';

function tree(names: Names, mode?: number): FileSystem {
  const inodes = new Map<bigint, GenericInode>();
  const numbers = new Map<string, bigint>();
  const entries = (within: Names, path: string): DirectoryEntry[] =>
    Object.entries(within).map(([Name, one]) => {
      const own = `${path}/${Name}`;
      const number =
        typeof one === 'string' ? (numbers.get(one.slice(1)) as bigint) : BigInt(numbers.size + 10);
      numbers.set(own, number);
      if (typeof one !== 'string')
        inodes.set(number, isInode(one) ? one : { Kind: 'directory', ...directory(entries(one, own)) });
      return { Name, InodeNumber: number };
    });
  const DirectoryInode = directory(entries(names, ''), mode);
  return { InodeTable: inodes, NumRegularInodes: 0n, TotalDataBytes: 0n, DirectoryCount: 0n, DirectoryInode };
}

const all = compileFilter([]);

/** The plan in words, in the order in which it is carried out. */
function plan(present: FileSystem, wanted: FileSystem, filter: typeof all | undefined = all): string[] {
  const patch = planPatch(present, wanted, filter);
  return [
    ...patch.directories.map(({ path }) => `mkdir ${path}`),
    ...patch.inodes.map(({ path }) => `make ${path}`),
    ...patch.links.map(({ path, target }) => `link ${path} ${target}`),
    ...patch.deletions.map((path) => `delete ${path}`),
    ...patch.changes.map(({ path }) => `change ${path}`),
  ];
}

const CASES: readonly [string, Names, Names, string[]][] = [
  ['equal trees', { a: file('x'), d: { l: link('t') } }, { a: file('x'), d: { l: link('t') } }, []],
  ['new things', {}, { d: { e: { a: file('x') } } }, ['mkdir /d', 'mkdir /d/e', 'make /d/e/a']],
  ['what is too much', { a: file('x'), d: { b: file('y') } }, { d: {} }, ['delete /a', 'delete /d/b']],
  ['with all that is below', { d: { e: { a: file('x') } } }, {}, ['delete /d']],
  ['other contents', { a: file('x') }, { a: file('y') }, ['make /a']],
  ['another mode', { a: file('x', { Mode: 0o100600 }) }, { a: file('x') }, ['change /a']],
  ['another time', { a: file('x', { MtimeNanoSeconds: 5 }) }, { a: file('x') }, ['change /a']],
  ['another owner of a link', { a: link('t', 9) }, { a: link('t') }, ['change /a']],
  ['another target of a link', { a: link('t') }, { a: link('u') }, ['make /a']],
  ['another device', { a: device(0o20644) }, { a: device(0o20644, 6n) }, ['make /a']],
  ['another mode of a device', { a: device(0o20644) }, { a: device(0o20600) }, ['change /a']],
  ['another kind of device', { a: device(0o20644) }, { a: device(0o60644) }, ['make /a']],
  ['a directory for a file', { a: file('x') }, { a: { b: file('y') } }, ['mkdir /a', 'make /a/b']],
  ['a file for a directory', { a: { b: file('y') } }, { a: file('x') }, ['make /a']],
  ['a further name', { a: file('x') }, { a: file('x'), b: '=/a' }, ['link /b /a']],
  ['a name before those that are there', { b: file('x') }, { a: file('x'), b: '=/a' }, ['link /a /b']],
  [
    'a name that has its own inode',
    { a: file('x'), b: file('x') },
    { a: file('x'), b: '=/a' },
    ['link /b /a'],
  ],
  ['one name too much', { a: file('x'), b: '=/a' }, { a: file('x') }, ['delete /b']],
  ['names that part', { a: file('x'), b: '=/a' }, { a: file('x'), b: file('x') }, ['make /b']],
  [
    'names that part, one with another mode',
    { a: file('x'), b: '=/a' },
    { a: file('x', { Mode: 0o100600 }), b: file('x') },
    ['make /a'],
  ],
  [
    'all names with another mode, and a new one',
    { a: file('x'), b: '=/a' },
    { a: file('x', { Mode: 0o100600 }), b: '=/a', c: '=/a' },
    ['link /c /a', 'change /a'],
  ],
  [
    'a mode that a name that goes has, too',
    { a: file('x'), b: '=/a' },
    { a: file('x', { Mode: 0o100600 }) },
    ['make /a', 'delete /b'],
  ],
  ['new names of one inode', {}, { a: file('x'), b: '=/a' }, ['make /a', 'link /b /a']],
];

describe('a tree becomes another', () => {
  for (const [name, present, wanted, expected] of CASES)
    test(name, () => expect(plan(tree(present), tree(wanted))).toEqual(expected));

  test('the root, too', () => expect(plan(tree({}, 0o40700), tree({}))).toEqual(['change /']));
});

describe('left alone', () => {
  test('what the filter matches, on either side', () =>
    expect(
      plan(
        tree({ keep: file('x'), d: { keep: file('y'), other: file('z') } }),
        tree({ keep: file('new'), d: { keep: file('new') } }),
        compileFilter(['(/d)?/keep$']),
      ),
    ).toEqual(['delete /d/other']));
  test('everything but what an inverted filter lists', () =>
    expect(plan(tree({ a: file('x'), b: file('x') }), tree({}), compileFilter(['!', '/a$']))).toEqual([
      'delete /a',
    ]));
  test('what a sparse image does not have', () =>
    expect(planPatch(tree({ a: file('x'), b: file('x') }), tree({ b: file('y') }), undefined)).toMatchObject({
      deletions: [],
      inodes: [{ path: '/b' }],
    }));
  test('computed files', () => {
    const computed: GenericInode = { Kind: 'computed', ...OWNER, Mode: 0o100644, Source: 'host:1' };
    expect(plan(tree({ a: file('x') }), tree({ a: computed, b: computed }))).toEqual([]);
  });
});
