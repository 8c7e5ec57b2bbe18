/** File-system trees: the inode table of an image (spec: filesystem.FileSystem). */
import {
  embedded,
  hash,
  int32,
  int64,
  map,
  pointer,
  slice,
  string,
  struct,
  uint32,
  uint64,
  union,
  type ValueOf,
} from '../schema.ts';

export const DirectoryEntry = struct('filesystem.DirectoryEntry', { Name: string, InodeNumber: uint64 });
export type DirectoryEntry = ValueOf<typeof DirectoryEntry>;

const RegularInode = struct(
  'filesystem.RegularInode',
  {
    Mode: uint32,
    Uid: uint32,
    Gid: uint32,
    MtimeNanoSeconds: int32,
    MtimeSeconds: int64,
    Size: uint64,
    Hash: hash,
  },
  { Hash: 'SHA-512 of the contents; all zero for an empty file, which has no object.' },
);
const ComputedRegularInode = struct('filesystem.ComputedRegularInode', {
  Mode: uint32,
  Uid: uint32,
  Gid: uint32,
  Source: string,
});
const SymlinkInode = struct('filesystem.SymlinkInode', { Uid: uint32, Gid: uint32, Symlink: string });
const SpecialInode = struct('filesystem.SpecialInode', {
  Mode: uint32,
  Uid: uint32,
  Gid: uint32,
  MtimeNanoSeconds: int32,
  MtimeSeconds: int64,
  Rdev: uint64,
});
export const DirectoryInode = struct(
  'filesystem.DirectoryInode',
  {
    EntryList: slice(pointer(DirectoryEntry)),
    EntriesByName: map(string, pointer(DirectoryEntry)),
    Mode: uint32,
    Uid: uint32,
    Gid: uint32,
  },
  { EntriesByName: 'A cache of the original; ignored.' },
);
export type DirectoryInode = ValueOf<typeof DirectoryInode>;

export const GenericInode = union(
  {
    regular: ['*filesystem.RegularInode', RegularInode],
    computed: ['*filesystem.ComputedRegularInode', ComputedRegularInode],
    symlink: ['*filesystem.SymlinkInode', SymlinkInode],
    special: ['*filesystem.SpecialInode', SpecialInode],
    directory: ['*filesystem.DirectoryInode', DirectoryInode],
  },
  'filesystem.GenericInode',
);
export type GenericInode = NonNullable<ValueOf<typeof GenericInode>>;
export type InodeKind = GenericInode['Kind'];
export type InodeOf<K extends InodeKind> = Extract<GenericInode, { Kind: K }>;

export const FileSystem = struct('filesystem.FileSystem', {
  InodeTable: map(uint64, GenericInode, 'filesystem.InodeTable'),
  NumRegularInodes: uint64,
  TotalDataBytes: uint64,
  DirectoryCount: uint64,
  DirectoryInode: embedded(DirectoryInode),
});
export type FileSystem = ValueOf<typeof FileSystem>;
/** A tree to look at: its inodes may be in memory, or decoded as they are asked for. */
export type Tree = Readonly<Omit<FileSystem, 'InodeTable'>> & {
  readonly InodeTable: ReadonlyMap<bigint, GenericInode | null> | null;
};
