/** An image for tests. */
import type { Image } from './messages/image.ts';
import { ZERO_TIME } from './time.ts';

/** The hash of its only object. */
export const HASH = 'ab'.repeat(64);
const directory = (entries: [string, bigint][]) => ({
  EntryList: entries.map(([Name, InodeNumber]) => ({ Name, InodeNumber })),
  EntriesByName: null,
  Mode: 0o40755,
  Uid: 0,
  Gid: 0,
});

/** An image with each kind of inode, whose type definitions interrupt its value. */
export function sampleImage(): Image {
  return {
    BuildBranch: 'main',
    BuildCommitId: '',
    BuildGitUrl: '',
    CreatedBy: '',
    CreatedFor: '',
    Filter: { FilterLines: ['/tmp/.*'] },
    FileSystem: {
      InodeTable: new Map([
        [
          1n,
          {
            Kind: 'regular' as const,
            Mode: 0o100644,
            Uid: 1,
            Gid: 2,
            MtimeNanoSeconds: 3,
            MtimeSeconds: -4n,
            Size: 5n,
            Hash: HASH,
          },
        ],
        [2n, { Kind: 'symlink' as const, Uid: 0, Gid: 0, Symlink: 'a\udcffb' }],
        [3n, { Kind: 'directory' as const, ...directory([['deep', 1n]]) }],
        [4n, { Kind: 'computed' as const, Mode: 0o100600, Uid: 0, Gid: 0, Source: 'host:1' }],
        [
          5n,
          {
            Kind: 'special' as const,
            Mode: 0o20666,
            Uid: 0,
            Gid: 0,
            MtimeNanoSeconds: 0,
            MtimeSeconds: 1n,
            Rdev: 0x103n,
          },
        ],
      ]),
      NumRegularInodes: 1n,
      TotalDataBytes: 5n,
      DirectoryCount: 2n,
      DirectoryInode: directory([
        ['file', 1n],
        ['link', 2n],
        ['dir', 3n],
        ['computed', 4n],
        ['null', 5n],
      ]),
    },
    Triggers: null,
    ReleaseNotes: { Object: HASH, URL: '' },
    BuildLog: null,
    CreatedOn: ZERO_TIME,
    ExpiresAt: ZERO_TIME,
    OwnerGroups: [],
    OwnerUsers: [],
    Packages: [{ Name: 'p', Size: 1n, Version: '2' }],
    SourceImage: '',
    Tags: new Map([['k', 'v']]),
  };
}
