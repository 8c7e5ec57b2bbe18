/** What is said to the agent of a running machine (service Subd): of its messages only the fields that are used here. */
import { bool, embedded, struct, uint64 } from '../schema.ts';
import { FileSystem, GenericInode } from './filesystem.ts';

export const PollRequest = struct('sub.PollRequest', { HaveGeneration: uint64, ShortPollOnly: bool });
/** If a tree follows, it comes as a gob stream of its own: SeparatedTree, then its inodes one by one. */
export const PollResponse = struct('sub.PollResponse', { FileSystemFollows: bool });

/** A tree whose inode table is empty: the inodes come behind it. */
export const SeparatedTree = struct('filesystem.encodedFileSystemType', {
  FileSystem: embedded(FileSystem),
  InodeTableLength: uint64,
});
export const NumberedInode = struct('filesystem.numberedInode', {
  InodeNumber: uint64,
  GenericInode,
});

/** Answers a line with a path; the contents follow. */
export const GetFileResponse = struct('sub.GetFileResponse', { Size: uint64 });
