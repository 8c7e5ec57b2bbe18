/** What differs between two trees, whether their inodes are there as values or encoded. */
import { expect, test } from 'bun:test';
import { makeImage } from '../../bench/made-image.ts';
import { encodeImage } from '../wire/encoded-image.ts';
import { EncodedInodes } from '../wire/encoded-inodes.ts';
import { InodePlaces } from '../wire/inode-places.ts';
import type { DirectoryInode, FileSystem, GenericInode, Tree } from '../wire/messages/filesystem.ts';
import type { Image } from '../wire/messages/image.ts';
import { compareTrees } from './compare.ts';

const treeOf = (image: Image) => image.FileSystem as FileSystem;

async function encoded(image: Image): Promise<Tree> {
  const { image: rest, places } = await InodePlaces.of(encodeImage(image).bytes);
  return { ...treeOf(rest), InodeTable: new EncodedInodes({ places }) as never };
}

/** Inode numbers are others, names and inodes the same. */
function renumber(image: Image): void {
  const tree = treeOf(image);
  const other = (number: bigint) => 9_000_000n - number;
  const list = (directory: DirectoryInode) => {
    for (const entry of directory.EntryList) if (entry) entry.InodeNumber = other(entry.InodeNumber);
  };
  list(tree.DirectoryInode);
  for (const inode of tree.InodeTable?.values() ?? []) if (inode?.Kind === 'directory') list(inode);
  tree.InodeTable = new Map([...(tree.InodeTable ?? [])].map(([number, inode]) => [other(number), inode]));
}

/** Every so many inodes one is changed in some way. */
function change(image: Image): void {
  const table = treeOf(image).InodeTable as Map<bigint, GenericInode>;
  for (const [index, [number, inode]] of [...table].entries()) {
    if (index % 37 !== 0) continue;
    const symlink: GenericInode = { Kind: 'symlink', Uid: 1, Gid: 0, Symlink: 'elsewhere' };
    if (index % 5 === 0) table.set(number, symlink);
    else if (inode.Kind === 'regular' && index % 2 === 0) inode.Hash = 'cd'.repeat(64);
    else if (inode.Kind === 'regular')
      inode.Mode ^= 1; // As long as before.
    else if (inode.Kind === 'directory')
      inode.EntryList = [...inode.EntryList.slice(1), { Name: 'new', InodeNumber: number + 1n }];
    else inode.Uid++;
  }
}

const differences = (left: Tree, right: Tree) => [...compareTrees(left, right)].filter(Boolean);

test.each<[string, (image: Image) => void, boolean]>([
  ['the same', () => undefined, true],
  ['other numbers', renumber, true],
  ['changes', change, false],
  [
    'changes and other numbers',
    (image) => {
      change(image);
      renumber(image);
    },
    false,
  ],
])('encoded trees differ as decoded ones do: %s', async (_what, make, equal) => {
  const left = makeImage(2000);
  const right = makeImage(2000);
  make(right);
  const wanted = differences(treeOf(left), treeOf(right));
  expect(wanted.length === 0).toBe(equal);
  const [a, b] = [await encoded(left), await encoded(right)];
  expect(differences(a, b)).toEqual(wanted);
  expect(differences(a, treeOf(right))).toEqual(wanted);
  expect(differences(b, a)).toEqual(differences(treeOf(right), treeOf(left)));
});

test('what is told of a path', async () => {
  const file: GenericInode = {
    Kind: 'regular',
    Mode: 0o100644,
    Uid: 0,
    Gid: 0,
    MtimeNanoSeconds: 0,
    MtimeSeconds: 1n,
    Size: 1n,
    Hash: 'ab'.repeat(64),
  };
  const inner = (names: [string, bigint][]): DirectoryInode => ({
    EntryList: names.map(([Name, InodeNumber]) => ({ Name, InodeNumber })),
    EntriesByName: null,
    Mode: 0o40755,
    Uid: 0,
    Gid: 0,
  });
  const made = (inodes: [bigint, GenericInode][], names: [string, bigint][]) => {
    const image = makeImage(1);
    treeOf(image).InodeTable = new Map(inodes);
    treeOf(image).DirectoryInode = inner(names);
    return image;
  };
  const directory = { Kind: 'directory' as const, ...inner([['in', 1n]]) };
  const left = made(
    [
      [1n, file],
      [2n, directory],
    ],
    [
      ['gone', 2n],
      ['same', 1n],
      ['touched', 1n],
    ],
  );
  const right = made(
    [
      [1n, file],
      [3n, { ...file, MtimeSeconds: 2n, Uid: 5 }],
    ],
    [
      ['new', 1n],
      ['same', 1n],
      ['touched', 3n],
    ],
  );
  const told = differences(await encoded(left), await encoded(right)).map((one) => [
    one?.path,
    one?.left?.Kind,
    one?.right?.Kind,
    one?.fields.join(),
  ]);
  expect(told).toEqual([
    ['/gone', 'directory', undefined, ''],
    ['/gone/in', 'regular', undefined, ''],
    ['/touched', 'regular', 'regular', 'Uid,MtimeSeconds'],
    ['/new', undefined, 'regular', ''],
  ]);
});
