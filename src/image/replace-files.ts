/** Layers: files of a base image replaced by those of another tree. */
import { ImageServerError } from '../errors.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import { countTree, inodeNumbers, walkTree } from './tree.ts';

/**
 * A copy of `base` in which every file of `layer` stands in place of the one with its path, owner, mode and time
 * included. Directories of the layer do not count. Throws INVALID_IMAGE for paths that the base has not, or has as
 * something else.
 */
export function replaceFiles(base: FileSystem, layer: FileSystem): FileSystem {
  const inodes = new Map(base.InodeTable);
  const numbers = inodeNumbers(base);
  for (const { path, inode } of walkTree(layer)) {
    if (inode.Kind === 'directory') continue;
    const number = numbers.get(path);
    if (number === undefined) throw new ImageServerError('INVALID_IMAGE', `${path} missing in base image`);
    if (inodes.get(number)?.Kind !== inode.Kind)
      throw new ImageServerError('INVALID_IMAGE', `${path} changed type`);
    inodes.set(number, inode);
  }
  return countTree({ ...base, InodeTable: inodes });
}
