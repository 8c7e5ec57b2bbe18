/** Walking the tree of an image. */

import { ImageServerError } from '../errors.ts';
import type {
  DirectoryEntry,
  DirectoryInode,
  FileSystem,
  GenericInode,
  Tree,
} from '../wire/messages/filesystem.ts';

export interface TreeEntry {
  /** Absolute; the root is `/`. */
  readonly path: string;
  readonly inodeNumber: bigint;
  readonly inode: GenericInode;
}

export function rootInode(tree: Tree): GenericInode {
  return { Kind: 'directory', ...tree.DirectoryInode };
}

/** Every path, depth first, entries in stored order, the root first. `skip` leaves out a path and all below it. */
export function* walkTree(tree: Tree, skip?: (path: string) => boolean): Generator<TreeEntry> {
  const inodes: ReadonlyMap<bigint, GenericInode | null> = tree.InodeTable ?? new Map();
  yield { path: '/', inodeNumber: 0n, inode: rootInode(tree) };
  const stack: { directory: DirectoryInode; path: string; next: number }[] = [
    { directory: tree.DirectoryInode, path: '', next: 0 },
  ];
  while (stack.length > 0) {
    const top = stack.at(-1) as (typeof stack)[number];
    const entry = top.directory.EntryList[top.next++] as DirectoryEntry | null | undefined;
    if (entry === undefined) {
      stack.pop();
      continue;
    }
    if (entry === null) continue;
    const path = `${top.path}/${entry.Name}`;
    if (skip?.(path)) continue;
    const inode = inodes.get(entry.InodeNumber);
    if (!inode) throw new ImageServerError('INVALID_IMAGE', `no inode ${entry.InodeNumber} for: ${path}`);
    yield { path, inodeNumber: entry.InodeNumber, inode };
    if (inode.Kind !== 'directory') continue;
    // A cycle would be longer than the number of directories there are.
    if (stack.length > inodes.size + 1)
      throw new ImageServerError('INVALID_IMAGE', `directory cycle at: ${path}`);
    stack.push({ directory: inode, path, next: 0 });
  }
}

/** How many entries refer to each inode. */
export function linkCounts(tree: Tree): Map<bigint, number> {
  const counts = new Map<bigint, number>();
  const count = (directory: DirectoryInode) => {
    for (const entry of directory.EntryList)
      if (entry) counts.set(entry.InodeNumber, (counts.get(entry.InodeNumber) ?? 0) + 1);
  };
  count(tree.DirectoryInode);
  for (const inode of tree.InodeTable?.values() ?? []) if (inode?.Kind === 'directory') count(inode);
  return counts;
}

/** The entry of an exact absolute path. */
export function findPath(tree: Tree, path: string): GenericInode | undefined {
  let inode: GenericInode | undefined = rootInode(tree);
  for (const part of path.split('/').slice(1)) {
    if (part === '') continue;
    if (inode?.Kind !== 'directory') return undefined;
    const entry: DirectoryEntry | null | undefined = inode.EntryList.find((one) => one?.Name === part);
    inode = entry ? (tree.InodeTable?.get(entry.InodeNumber) ?? undefined) : undefined;
  }
  return path.startsWith('/') ? inode : undefined;
}

/** The tree with its counters set to what is in it. */
export function countTree(tree: FileSystem): FileSystem {
  let regular = 0n;
  let bytes = 0n;
  let directories = 1n;
  for (const inode of tree.InodeTable?.values() ?? []) {
    if (inode?.Kind === 'directory') directories++;
    if (inode?.Kind !== 'regular') continue;
    regular++;
    bytes += inode.Size;
  }
  return { ...tree, NumRegularInodes: regular, TotalDataBytes: bytes, DirectoryCount: directories };
}

/** Path to inode number of everything but the root. */
export function inodeNumbers(tree: Tree): Map<string, bigint> {
  const numbers = new Map<string, bigint>();
  for (const { path, inodeNumber } of walkTree(tree)) if (path !== '/') numbers.set(path, inodeNumber);
  return numbers;
}

/** Throws INVALID_IMAGE if a name would lead out of its directory: nobody who unpacks a tree may trust where it came from. */
export function checkEntryNames(tree: FileSystem): void {
  const check = (directory: DirectoryInode) => {
    for (const entry of directory.EntryList) {
      const name = entry?.Name;
      if (name === undefined) continue;
      if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0'))
        throw new ImageServerError('INVALID_IMAGE', `bad name in image: ${JSON.stringify(name)}`);
    }
  };
  check(tree.DirectoryInode);
  for (const inode of tree.InodeTable?.values() ?? []) if (inode?.Kind === 'directory') check(inode);
}
