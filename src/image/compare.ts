/** What differs between the trees of two images, path by path. */
import { ImageServerError } from '../errors.ts';
import { EncodedInodes } from '../wire/encoded-inodes.ts';
import type { GenericInode, Tree } from '../wire/messages/filesystem.ts';
import { rootInode } from './tree.ts';

export interface Difference {
  /** Absolute path. */
  readonly path: string;
  /** Undefined: only the other side has the path. */
  readonly left: GenericInode | undefined;
  readonly right: GenericInode | undefined;
  /** Names of the fields that differ; empty if only one side has the path. */
  readonly fields: readonly string[];
}

/** Names of the fields in which two inodes differ. The entries of directories are compared as paths of their own. */
function differingFields(left: GenericInode, right: GenericInode): string[] {
  if (left.Kind !== right.Kind) return ['Kind'];
  const other = right as unknown as Record<string, unknown>;
  return Object.entries(left)
    .filter(([name, value]) => name !== 'EntryList' && name !== 'EntriesByName' && other[name] !== value)
    .map(([name]) => name);
}

/** The entries of a directory by name. */
function named(inode: GenericInode | undefined): ReadonlyMap<string, bigint> {
  const entries = inode?.Kind === 'directory' ? inode.EntryList : [];
  return new Map(entries.map((entry) => [entry?.Name ?? '', entry?.InodeNumber ?? 0n]));
}

interface Pair {
  readonly path: string;
  readonly inode: GenericInode;
  readonly beside: GenericInode | undefined;
}

const NO_INODES: ReadonlyMap<bigint, GenericInode | null> = new Map();
const inodesOf = (tree: Tree) => tree.InodeTable ?? NO_INODES;

/**
 * Every path of a tree and what the other tree has there; `undefined` for those whose inodes, by their numbers in the
 * one and the other, are `alike`. Only the directories on the way are kept in memory.
 */
function* besides(
  tree: Tree,
  other: Tree,
  alike: (own: bigint, beside: bigint) => boolean,
): Generator<Pair | undefined> {
  const beside = rootInode(other);
  yield { path: '/', inode: rootInode(tree), beside };
  const stack = [{ directory: tree.DirectoryInode, path: '', next: 0, entries: named(beside) }];
  while (stack.length > 0) {
    const top = stack.at(-1) as (typeof stack)[number];
    const entry = top.directory.EntryList[top.next++];
    if (entry === undefined) stack.pop();
    if (!entry) continue;
    const number = top.entries.get(entry.Name);
    if (number !== undefined && alike(entry.InodeNumber, number)) {
      yield undefined;
      continue;
    }
    const pair = pairOf(tree, other, `${top.path}/${entry.Name}`, entry.InodeNumber, number);
    yield pair;
    if (pair.inode.Kind !== 'directory') continue;
    // A cycle would be longer than the number of directories there are.
    if (stack.length > inodesOf(tree).size + 1)
      throw new ImageServerError('INVALID_IMAGE', `directory cycle at: ${pair.path}`);
    stack.push({ directory: pair.inode, path: pair.path, next: 0, entries: named(pair.beside) });
  }
}

function pairOf(tree: Tree, other: Tree, path: string, own: bigint, beside: bigint | undefined): Pair {
  const inode = inodesOf(tree).get(own);
  if (!inode) throw new ImageServerError('INVALID_IMAGE', `no inode ${own} for: ${path}`);
  return { path, inode, beside: (beside !== undefined && inodesOf(other).get(beside)) || undefined };
}

/**
 * The differences, in the order of the left tree and then what only the right one has. Yields `undefined` for paths
 * that are equal, so that callers can take a break.
 */
export function* compareTrees(left: Tree, right: Tree): Generator<Difference | undefined> {
  const [a, b] = [inodesOf(left), inodesOf(right)];
  const encoded = a instanceof EncodedInodes && b instanceof EncodedInodes;
  // Most inodes are equal, which their bytes show: they need not be made.
  const areEqual = (own: bigint, beside: bigint) => encoded && a.isLeafLike(own, b, beside);
  for (const pair of besides(left, right, areEqual)) {
    if (!pair) {
      yield undefined;
      continue;
    }
    const { path, inode, beside } = pair;
    const fields = beside ? differingFields(inode, beside) : [];
    yield beside && fields.length === 0 ? undefined : { path, left: inode, right: beside, fields };
  }
  const areThere = (own: bigint, beside: bigint) => encoded && b.isLeaf(own) && a.isInode(beside);
  for (const pair of besides(right, left, areThere))
    yield !pair || pair.beside
      ? undefined
      : { path: pair.path, left: undefined, right: pair.inode, fields: [] };
}
