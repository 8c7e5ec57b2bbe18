/** A tree without the paths a filter matches. */
import type { PathFilter } from '../image/filter.ts';
import { walkTree } from '../image/tree.ts';
import type { DirectoryInode, FileSystem } from '../wire/messages/filesystem.ts';

/** A copy without the matching paths and what only they referred to; the tree itself if there is no filter. */
export function deletePaths(tree: FileSystem, filter: PathFilter | undefined): FileSystem {
  if (!filter) return tree;
  const inodes: NonNullable<FileSystem['InodeTable']> = new Map();
  let regular = 0n;
  let bytes = 0n;
  let directories = 1n;
  const pruned = (directory: DirectoryInode, path: string): DirectoryInode => ({
    ...directory,
    EntryList: directory.EntryList.filter((entry) => entry && !filter(`${path}/${entry.Name}`)),
  });
  for (const { path, inodeNumber, inode } of walkTree(tree, filter)) {
    if (path === '/' || inodes.has(inodeNumber)) continue;
    if (inode.Kind === 'directory') {
      directories++;
      inodes.set(inodeNumber, { Kind: 'directory', ...pruned(inode, path) });
      continue;
    }
    if (inode.Kind === 'regular') {
      regular++;
      bytes += inode.Size;
    }
    inodes.set(inodeNumber, inode);
  }
  return {
    InodeTable: inodes,
    NumRegularInodes: regular,
    TotalDataBytes: bytes,
    DirectoryCount: directories,
    DirectoryInode: pruned(tree.DirectoryInode, ''),
  };
}
