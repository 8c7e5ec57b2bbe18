/** Times of files that did not change are taken from an older image, which keeps differences and updates small. */
import type { FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
import { walkTree } from './tree.ts';

function sameButTime(left: GenericInode, right: GenericInode): boolean {
  if (left.Kind === 'regular' && right.Kind === 'regular')
    return (
      left.Mode === right.Mode &&
      left.Uid === right.Uid &&
      left.Gid === right.Gid &&
      left.Size === right.Size &&
      left.Hash === right.Hash
    );
  if (left.Kind === 'special' && right.Kind === 'special')
    return (
      left.Mode === right.Mode && left.Uid === right.Uid && left.Gid === right.Gid && left.Rdev === right.Rdev
    );
  return false;
}

/** A copy in which files equal to the same path of `from`, times aside, have the times they have there. */
export function copyMtimes(tree: FileSystem, from: FileSystem): FileSystem {
  const old = new Map<string, GenericInode>();
  for (const { path, inode } of walkTree(from)) old.set(path, inode);
  const inodes = new Map(tree.InodeTable);
  for (const { path, inodeNumber, inode } of walkTree(tree)) {
    const other = old.get(path);
    if (!other || (other.Kind !== 'regular' && other.Kind !== 'special')) continue;
    if (inode.Kind !== other.Kind || !sameButTime(inode, other)) continue;
    const { MtimeSeconds, MtimeNanoSeconds } = other;
    inodes.set(inodeNumber, { ...inode, MtimeSeconds, MtimeNanoSeconds } as GenericInode);
  }
  return { ...tree, InodeTable: inodes };
}
