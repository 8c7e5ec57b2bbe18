/** A directory tree of this machine as an image's file-system. */
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import type { PathFilter } from '../image/filter.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../image/mode.ts';
import type {
  DirectoryEntry,
  DirectoryInode,
  FileSystem,
  GenericInode,
} from '../wire/messages/filesystem.ts';
import { decodeText } from '../wire/text.ts';
import { type Content, hashRange } from './content.ts';
import { Progress } from './progress.ts';

export interface ScannedTree {
  readonly tree: FileSystem;
  /** By hash; what the image's objects are made of. */
  readonly contents: Map<string, Content>;
}

const NANOS = 1_000_000_000n;
const NO_HASH = '0'.repeat(128);
/** The agent's own directory on managed machines. */
const SKIPPED = '/.subd';

class Scanner {
  readonly inodes = new Map<bigint, GenericInode | null>();
  readonly contents = new Map<string, Content>();
  readonly progress = new Progress('scanning');
  regular = 0n;
  bytes = 0n;
  directories = 1n;

  constructor(
    readonly device: bigint,
    readonly filter: PathFilter | undefined,
  ) {}

  directory(real: Buffer, path: string, stat: { mode: bigint; uid: bigint; gid: bigint }): DirectoryInode {
    const names = readdirSync(real, { encoding: 'buffer' }).sort(Buffer.compare);
    const EntryList: DirectoryEntry[] = [];
    for (const name of names) {
      const text = decodeText(name);
      const childPath = `${path === '/' ? '' : path}/${text}`;
      if (childPath === SKIPPED || this.filter?.(childPath)) continue;
      const child = Buffer.concat([real, Buffer.from('/'), name]);
      const number = this.#entry(child, childPath);
      if (number !== undefined) EntryList.push({ Name: text, InodeNumber: number });
    }
    return {
      EntryList,
      EntriesByName: null,
      Mode: Number(stat.mode),
      Uid: Number(stat.uid),
      Gid: Number(stat.gid),
    };
  }

  #entry(real: Buffer, path: string): bigint | undefined {
    const stat = lstatSync(real, { bigint: true });
    const type = Number(stat.mode) & S_IFMT;
    if (type === S_IFSOCK || stat.dev !== this.device) return undefined;
    const number = stat.ino;
    if (type === S_IFDIR) {
      this.directories++;
      this.inodes.set(number, { Kind: 'directory', ...this.directory(real, path, stat) });
      return number;
    }
    if (this.inodes.has(number)) return number;
    const owner = { Uid: Number(stat.uid), Gid: Number(stat.gid) };
    let seconds = stat.mtimeNs / NANOS;
    let nanos = stat.mtimeNs % NANOS;
    if (nanos < 0n) {
      seconds -= 1n;
      nanos += NANOS;
    }
    const times = { MtimeNanoSeconds: Number(nanos), MtimeSeconds: seconds };
    if (type === S_IFLNK)
      this.inodes.set(number, {
        Kind: 'symlink',
        ...owner,
        Symlink: decodeText(readlinkSync(real, { encoding: 'buffer' })),
      });
    else if (type === S_IFREG)
      this.inodes.set(number, {
        Kind: 'regular',
        Mode: Number(stat.mode),
        ...owner,
        ...times,
        Size: stat.size,
        Hash: this.#content(real, Number(stat.size)),
      });
    else
      this.inodes.set(number, {
        Kind: 'special',
        Mode: Number(stat.mode),
        ...owner,
        ...times,
        Rdev: stat.rdev,
      });
    return number;
  }

  #content(file: Buffer, size: number): string {
    this.regular++;
    this.bytes += BigInt(size);
    if (size === 0) return NO_HASH;
    const fd = openSync(file, 'r');
    try {
      const hash = hashRange(fd, 0, size, (bytes) => this.progress.add(bytes));
      if (!this.contents.has(hash)) this.contents.set(hash, { file, offset: 0, size, hash });
      return hash;
    } finally {
      closeSync(fd);
    }
  }
}

/** Scans a directory; does not leave its file system, leaves out sockets and what the filter matches. */
export function scanDirectory(directory: string, filter?: PathFilter): ScannedTree {
  const real = Buffer.from(directory);
  const stat = lstatSync(real, { bigint: true });
  const scanner = new Scanner(stat.dev, filter);
  const root = scanner.directory(real, '/', stat);
  scanner.progress.end();
  return {
    tree: {
      InodeTable: scanner.inodes,
      NumRegularInodes: scanner.regular,
      TotalDataBytes: scanner.bytes,
      DirectoryCount: scanner.directories,
      DirectoryInode: root,
    },
    contents: scanner.contents,
  };
}
