/** The members of a tar archive of an image, in order. */
import type { GenericInode, Tree } from '../wire/messages/filesystem.ts';
import { encodeText } from '../wire/text.ts';
import { S_IFBLK, S_IFCHR, S_IFMT } from './mode.ts';
import type { TarMember } from './tar-format.ts';
import { walkTree } from './tree.ts';

const NONE = Buffer.alloc(0);
/** Type of a member that is another name of an earlier one. */
export const HARD_LINK = '1';

function memberOf(name: Buffer, inode: GenericInode, link: Buffer | undefined): TarMember {
  const member: TarMember = {
    name,
    type: '0',
    mode: 'Mode' in inode ? inode.Mode : 0o777,
    uid: inode.Uid,
    gid: inode.Gid,
    size: 0,
    seconds: 0n,
    nanoseconds: 0,
    link: NONE,
    major: 0,
    minor: 0,
  };
  if (link) return { ...member, type: HARD_LINK, link };
  switch (inode.Kind) {
    case 'directory':
      return { ...member, type: '5' };
    case 'symlink':
      return { ...member, type: '2', link: Buffer.from(encodeText(inode.Symlink)) };
    case 'computed':
      return member;
    case 'regular':
      return {
        ...member,
        size: Number(inode.Size),
        seconds: inode.MtimeSeconds,
        nanoseconds: inode.MtimeNanoSeconds,
      };
    case 'special': {
      const kind = inode.Mode & S_IFMT;
      const { Rdev } = inode;
      return {
        ...member,
        type: kind === S_IFCHR ? '3' : kind === S_IFBLK ? '4' : '6',
        seconds: inode.MtimeSeconds,
        nanoseconds: inode.MtimeNanoSeconds,
        major: Number(((Rdev >> 8n) & 0xfffn) | ((Rdev >> 32n) & ~0xfffn)),
        minor: Number((Rdev & 0xffn) | ((Rdev >> 12n) & ~0xffn)),
      };
    }
  }
}

export interface ArchiveMember {
  /** Absolute path inside the image. */
  readonly path: string;
  readonly inode: GenericInode;
  readonly member: TarMember;
}

/**
 * Names are `./…`, directories end in a slash, later names of a file are link members; computed files are empty.
 * `linked`: whether an inode may have more than one name; the names of others are not kept.
 */
export function* tarMembers(
  tree: Tree,
  linked: (inodeNumber: bigint) => boolean = () => true,
): Generator<ArchiveMember> {
  const placed = new Map<bigint, Buffer>();
  for (const { path, inodeNumber, inode } of walkTree(tree)) {
    const directory = inode.Kind === 'directory';
    const name = Buffer.from(encodeText(path === '/' ? './' : `.${path}${directory ? '/' : ''}`));
    const named = !directory && linked(inodeNumber);
    const first = named ? placed.get(inodeNumber) : undefined;
    if (named && !first) placed.set(inodeNumber, name);
    yield { path, inode, member: memberOf(name, inode, first) };
  }
}
