/** What the stores change on disk, behind an interface so that tests can make it fail. Reads go to node:fs directly. */
import {
  close,
  closeSync,
  fsync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  statfsSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { release } from 'node:os';
import { syncFileSystem } from './native.ts';
import { type Move, type Renamed, renameMany } from './rename-many.ts';

export interface Space {
  /** Bytes an ordinary user can have. */
  readonly capacity: number;
  readonly free: number;
}

export interface Disk {
  open(path: string, flags: string, mode?: number): number;
  /** Writes all of it. */
  write(fd: number, bytes: Uint8Array): void;
  close(fd: number): void;
  /** Makes an open file durable. */
  sync(fd: number): Promise<void>;
  /** Makes a file or a directory durable. */
  syncPath(path: string): Promise<void>;
  /** Makes the whole file system of `fd` durable; false if that cannot be relied on here. */
  syncAll(fd: number): Promise<boolean>;
  rename(from: string, to: string): void;
  /** As `renameMany`; where it is missing files are renamed one by one. */
  readonly renameMany?: ((moves: readonly Move[], mode: number) => Promise<Renamed>) | undefined;
  link(from: string, to: string): void;
  unlink(path: string): void;
  /** As `unlink`, in a thread: for files of a size that takes time. */
  remove(path: string): Promise<void>;
  /** Cuts a file to length 0. */
  truncate(path: string): void;
  /** One level; false if it exists. */
  mkdir(path: string, mode: number): boolean;
  rmdir(path: string): void;
  space(path: string): Space;
}

export function errno(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** From here on removing a file takes milliseconds, bytes: letting go of 1 GiB takes half a second. */
export const BIG_FILE = 4 * 1024 * 1024;

/** Closes a file that may have been removed meanwhile: the last one to close it pays for that. */
export function closeFile(fd: number, size: number): void {
  if (size < BIG_FILE) closeSync(fd);
  else close(fd, () => undefined);
}

/** File systems whose syncfs(2) is known to write everything out: ext, XFS, Btrfs, F2FS, ZFS, tmpfs, overlay. */
const WHOLE_SYNC = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x794c7630]);

/** Before Linux 5.8 syncfs(2) did not tell of errors; elsewhere (FUSE, network) it may do nothing. */
function canSyncWhole(fileSystemType: number, kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return WHOLE_SYNC.has(fileSystemType) && (major > 5 || (major === 5 && minor >= 8));
}

/** True if reading failed because of the file itself: it can as well be replaced. Not if something else ran out. */
export function isUnreadable(thrown: unknown): boolean {
  const code = errno(thrown);
  return code !== '' && !['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR'].includes(code);
}

export const realDisk: Disk = {
  open: (path, flags, mode) => openSync(path, flags, mode),
  write(fd, bytes) {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
  },
  close: (fd) => closeSync(fd),
  sync: (fd) =>
    new Promise((resolve, reject) => fsync(fd, (failure) => (failure ? reject(failure) : resolve()))),
  async syncPath(path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async syncAll(fd) {
    // `type` is signed where the magic number has its highest bit set.
    const type = statfsSync(`/proc/self/fd/${fd}`).type >>> 0;
    return canSyncWhole(type, release()) && syncFileSystem(fd);
  },
  rename: (from, to) => renameSync(from, to),
  renameMany,
  link: (from, to) => linkSync(from, to),
  unlink: (path) => unlinkSync(path),
  remove: (path) => unlink(path),
  truncate: (path) => truncateSync(path, 0),
  mkdir(path, mode) {
    try {
      mkdirSync(path, { mode });
      return true;
    } catch (thrown) {
      if (errno(thrown) === 'EEXIST') return false;
      throw thrown;
    }
  },
  rmdir: (path) => rmdirSync(path),
  space(path) {
    const { blocks, bfree, bavail, bsize } = statfsSync(path);
    return { capacity: (blocks - (bfree - bavail)) * bsize, free: bavail * bsize };
  },
};
