/** What differs between the trees of two images, path by path. */
import type { FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
import { walkTree } from './tree.ts';

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

/**
 * The differences, in the order of the left tree and then what only the right one has. Yields `undefined` for paths
 * that are equal, so that callers can take a break.
 */
export function* compareTrees(left: FileSystem, right: FileSystem): Generator<Difference | undefined> {
  const others = new Map<string, GenericInode>();
  for (const { path, inode } of walkTree(right)) {
    others.set(path, inode);
    yield undefined;
  }
  for (const { path, inode } of walkTree(left)) {
    const other = others.get(path);
    others.delete(path);
    const fields = other ? differingFields(inode, other) : [];
    yield other && fields.length === 0 ? undefined : { path, left: inode, right: other, fields };
  }
  for (const [path, inode] of others) yield { path, left: undefined, right: inode, fields: [] };
}
