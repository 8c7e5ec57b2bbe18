/** How much space an image takes on a file system with blocks of 4 KiB. */
import type { FileSystem } from '../wire/messages/filesystem.ts';

const BLOCK = 4096n;
const SYMLINK = 64n;

/** Bytes: files in whole blocks, a block for each directory but the root, 64 bytes for each symbolic link. */
export function estimateUsage(tree: FileSystem): bigint {
  let total = 0n;
  for (const inode of tree.InodeTable?.values() ?? []) {
    if (inode?.Kind === 'regular') total += ((inode.Size + BLOCK - 1n) / BLOCK) * BLOCK;
    else if (inode?.Kind === 'directory') total += BLOCK;
    else if (inode?.Kind === 'symlink') total += SYMLINK;
  }
  return total;
}
