/** What differs between the trees of two images, path by path. */
import type { GenericInode, Tree } from '../wire/messages/filesystem.ts';
import { rootInode, walkTree } from './tree.ts';

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

/** Every path of a tree and what the other tree has there. Only the directories on the way are kept in memory. */
function* besides(
  tree: Tree,
  other: Tree,
): Generator<{ path: string; inode: GenericInode; beside: GenericInode | undefined }> {
  const trail: { path: string; entries: ReadonlyMap<string, bigint> }[] = [];
  for (const { path, inode } of walkTree(tree)) {
    const parent = parentOf(path);
    while (trail.length > 0 && trail.at(-1)?.path !== parent) trail.pop();
    const number = trail.at(-1)?.entries.get(path.slice(parent.length + 1));
    const beside =
      path === '/' ? rootInode(other) : number === undefined ? undefined : other.InodeTable?.get(number);
    yield { path, inode, beside: beside ?? undefined };
    if (inode.Kind === 'directory')
      trail.push({ path: path === '/' ? '' : path, entries: named(beside ?? undefined) });
  }
}

/** The directory of an absolute path; empty for the root and what is in it. */
const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

/**
 * The differences, in the order of the left tree and then what only the right one has. Yields `undefined` for paths
 * that are equal, so that callers can take a break.
 */
export function* compareTrees(left: Tree, right: Tree): Generator<Difference | undefined> {
  for (const { path, inode, beside } of besides(left, right)) {
    const fields = beside ? differingFields(inode, beside) : [];
    yield beside && fields.length === 0 ? undefined : { path, left: inode, right: beside, fields };
  }
  for (const { path, inode, beside } of besides(right, left))
    yield beside ? undefined : { path, left: undefined, right: inode, fields: [] };
}
