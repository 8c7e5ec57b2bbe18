/** A made image of a given size for benchmarks: shapes and proportions of a real one, always the same bytes. */
import type { DirectoryInode, GenericInode } from '../src/wire/messages/filesystem.ts';
import type { Image } from '../src/wire/messages/image.ts';
import { timeFromMillis, ZERO_TIME } from '../src/wire/time.ts';

/** Three of four inodes are regular files, one of ten a directory, the rest symlinks and a few others. */
export function makeImage(inodes: number): Image {
  let state = 0x2545f491;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const hashOf = () => {
    let text = '';
    for (let word = 0; word < 16; word++) text += random().toString(16).padStart(8, '0');
    return text;
  };
  const table = new Map<bigint, GenericInode>();
  const newDirectory = (): DirectoryInode => ({
    EntryList: [],
    EntriesByName: null,
    Mode: 0o40755,
    Uid: 0,
    Gid: 0,
  });
  const root = newDirectory();
  const directories: DirectoryInode[] = [root];
  let dataBytes = 0n;
  let regular = 0n;
  for (let number = 1; number <= inodes; number++) {
    const key = BigInt(number) + 1_000_000n;
    let inode: GenericInode;
    const choice = number % 20;
    if (choice < 15) {
      const Size = BigInt(random() % 100_000);
      inode = {
        Kind: 'regular',
        Mode: 0o100644,
        Uid: 0,
        Gid: 0,
        MtimeNanoSeconds: random() % 1_000_000_000,
        MtimeSeconds: BigInt(1_600_000_000 + (random() % 1_000_000)),
        Size: Size + 1n,
        Hash: hashOf(),
      };
      dataBytes += Size + 1n;
      regular++;
    } else if (choice < 17) inode = { Kind: 'directory', ...newDirectory() };
    else if (choice < 19 || number % 100 < 90)
      inode = { Kind: 'symlink', Uid: 0, Gid: 0, Symlink: `../lib/libexample.so.${number}` };
    else
      inode = {
        Kind: 'special',
        Mode: 0o20666,
        Uid: 0,
        Gid: 5,
        MtimeNanoSeconds: 0,
        MtimeSeconds: 1_600_000_000n,
        Rdev: 0x103n,
      };
    table.set(key, inode);
    const parent = directories[random() % directories.length] as DirectoryInode;
    parent.EntryList.push({ Name: `some-file-name-${number}.txt`, InodeNumber: key });
    if (inode.Kind === 'directory') directories.push(inode);
  }
  for (const directory of directories)
    directory.EntryList.sort((a, b) => ((a?.Name ?? '') < (b?.Name ?? '') ? -1 : 1));
  return {
    BuildBranch: 'master',
    BuildCommitId: '0123456789abcdef',
    BuildGitUrl: '',
    CreatedBy: 'builder',
    CreatedFor: '',
    Filter: { FilterLines: ['/tmp/.*', '/var/log/.*'] },
    FileSystem: {
      InodeTable: table,
      NumRegularInodes: regular,
      TotalDataBytes: dataBytes,
      DirectoryCount: BigInt(directories.length),
      DirectoryInode: root,
    },
    Triggers: null,
    ReleaseNotes: null,
    BuildLog: { Object: hashOf(), URL: '' },
    CreatedOn: timeFromMillis(1_700_000_000_000),
    ExpiresAt: ZERO_TIME,
    OwnerGroups: [],
    OwnerUsers: [],
    Packages: Array.from({ length: 300 }, (_, index) => ({
      Name: `package-${index}`,
      Size: BigInt(index * 1000),
      Version: '1.2.3',
    })),
    SourceImage: '',
    Tags: null,
  };
}
