/** A directory tree of this machine as an image's file-system. */
import { type BigIntStats, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { PathFilter } from '../image/filter.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../image/mode.ts';
import { countTree } from '../image/tree.ts';
import { Turn } from '../store/turn.ts';
import type {
  DirectoryEntry,
  DirectoryInode,
  FileSystem,
  GenericInode,
  InodeOf,
} from '../wire/messages/filesystem.ts';
import { decodeText } from '../wire/text.ts';
import { type Content, hashFile } from './content.ts';
import type { Progress } from './progress.ts';

/** Takes every content once or more; what it throws ends the scan. */
export type ContentSink = (content: Content) => void | Promise<void>;

const NANOS = 1_000_000_000n;
const NO_HASH = '0'.repeat(128);
/** The agent's own directory on managed machines. */
const SKIPPED = '/.subd';
const MAX_HASHING = 8;

interface Unhashed {
  readonly file: Buffer;
  readonly inode: InodeOf<'regular'>;
}

/** Seconds rounded down, and the nanoseconds after them. */
export function splitTime(nanos: bigint): { MtimeSeconds: bigint; MtimeNanoSeconds: number } {
  const rest = ((nanos % NANOS) + NANOS) % NANOS;
  return { MtimeSeconds: (nanos - rest) / NANOS, MtimeNanoSeconds: Number(rest) };
}

class Scanner {
  readonly inodes = new Map<bigint, GenericInode | null>();
  readonly unhashed: Unhashed[] = [];

  constructor(
    readonly device: bigint,
    readonly filter: PathFilter | undefined,
  ) {}

  directory(real: Buffer, path: string, stat: { mode: bigint; uid: bigint; gid: bigint }): DirectoryInode {
    const EntryList: DirectoryEntry[] = [];
    for (const name of readdirSync(real, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const text = decodeText(name);
      const childPath = `${path === '/' ? '' : path}/${text}`;
      if (childPath === SKIPPED || this.filter?.(childPath)) continue;
      const number = this.#entry(Buffer.concat([real, Buffer.from('/'), name]), childPath);
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
    const stat = lstatSync(real, { bigint: true, throwIfNoEntry: false });
    // On a running machine files come and go.
    if (!stat) return undefined;
    const type = Number(stat.mode) & S_IFMT;
    if (type === S_IFSOCK || stat.dev !== this.device) return undefined;
    const number = stat.ino;
    if (type === S_IFDIR) {
      this.inodes.set(number, { Kind: 'directory', ...this.directory(real, path, stat) });
      return number;
    }
    if (this.inodes.has(number)) return number;
    const owner = { Uid: Number(stat.uid), Gid: Number(stat.gid) };
    const rest = { Mode: Number(stat.mode), ...owner, ...splitTime(stat.mtimeNs) };
    if (type === S_IFLNK) {
      const target = readlinkSync(real, { encoding: 'buffer' });
      this.inodes.set(number, { Kind: 'symlink', ...owner, Symlink: decodeText(target) });
    } else if (type === S_IFREG) {
      const inode = { Kind: 'regular' as const, ...rest, Size: stat.size, Hash: NO_HASH };
      this.inodes.set(number, inode);
      if (stat.size > 0n) this.unhashed.push({ file: real, inode });
    } else this.inodes.set(number, { Kind: 'special', ...rest, Rdev: stat.rdev });
    return number;
  }
}

/** Hashes files, several at a time; their inodes get the hashes. */
async function hashAll(
  files: readonly Unhashed[],
  progress: Progress | undefined,
  sink: ContentSink,
): Promise<void> {
  const task = progress?.start(
    'scanning',
    files.reduce((sum, one) => sum + Number(one.inode.Size), 0),
  );
  let next = 0;
  let failed = false;
  const turn = new Turn();
  const worker = async () => {
    while (next < files.length && !failed) {
      const { file, inode } = files[next++] as Unhashed;
      try {
        const hashing = hashFile(file, Number(inode.Size), (bytes) => task?.add(bytes));
        const content = hashing instanceof Promise ? await hashing : hashing;
        inode.Hash = content.hash;
        const taking = sink(content);
        if (taking) await taking;
        if (turn.over()) await turn.next();
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  try {
    const workers = Array.from({ length: Math.min(MAX_HASHING, availableParallelism()) }, worker);
    const results = await Promise.allSettled(workers);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  } finally {
    task?.end();
  }
}

function statOf(directory: Buffer): BigIntStats {
  try {
    return statSync(directory, { bigint: true });
  } catch (error) {
    // The name under which the original reports it.
    throw Object.assign(error as Error, { syscall: 'lstat' });
  }
}

/**
 * Scans a directory; does not leave its file system, leaves out sockets and what the filter matches. The contents go to
 * `sink` as they are hashed.
 */
export async function scanDirectory(
  directory: string,
  options: { filter?: PathFilter | undefined; progress?: Progress | undefined; sink?: ContentSink } = {},
): Promise<FileSystem> {
  const real = Buffer.from(directory);
  // The directory itself may be given by a symbolic link.
  const stat = statOf(real);
  const scanner = new Scanner(stat.dev, options.filter);
  const root = scanner.directory(real, '/', stat);
  await hashAll(scanner.unhashed, options.progress, options.sink ?? (() => undefined));
  return countTree({
    InodeTable: scanner.inodes,
    NumRegularInodes: 0n,
    TotalDataBytes: 0n,
    DirectoryCount: 0n,
    DirectoryInode: root,
  });
}
