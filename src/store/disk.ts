/** What the stores change on disk, behind an interface so that tests can make it fail. Reads go to node:fs directly. */
import {
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
import { open } from 'node:fs/promises';
import { syncFileSystem } from './native.ts';

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
  /** Makes the whole file system of `fd` durable; false if this machine cannot. */
  syncAll(fd: number): Promise<boolean>;
  rename(from: string, to: string): void;
  link(from: string, to: string): void;
  unlink(path: string): void;
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
  syncAll: syncFileSystem,
  rename: (from, to) => renameSync(from, to),
  link: (from, to) => linkSync(from, to),
  unlink: (path) => unlinkSync(path),
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
