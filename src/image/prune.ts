/** A tree without the paths a filter matches. */
import type { DirectoryInode, FileSystem } from '../wire/messages/filesystem.ts';
import type { PathFilter } from './filter.ts';
import { countTree, walkTree } from './tree.ts';

/** A copy without the matching paths and what only they referred to; the tree itself if there is no filter. */
export function prunePaths(tree: FileSystem, filter: PathFilter | undefined): FileSystem {
  if (!filter) return tree;
  const inodes: NonNullable<FileSystem['InodeTable']> = new Map();
  const pruned = (directory: DirectoryInode, path: string): DirectoryInode => ({
    ...directory,
    EntryList: directory.EntryList.filter((entry) => entry && !filter(`${path}/${entry.Name}`)),
  });
  for (const { path, inodeNumber, inode } of walkTree(tree, filter)) {
    if (path === '/' || inodes.has(inodeNumber)) continue;
    inodes.set(
      inodeNumber,
      inode.Kind === 'directory' ? { Kind: 'directory', ...pruned(inode, path) } : inode,
    );
  }
  return countTree({ ...tree, InodeTable: inodes, DirectoryInode: pruned(tree.DirectoryInode, '') });
}
