/**
 * Files of the form gob + SHA-512 of the gob (64 bytes): images, `.metadata`, `.unreferenced-objects`. Always written
 * under a hidden name, synced and renamed. Bytes after the checksum are ignored: the original leaves some.
 */
import { dirname } from 'node:path';
import { digestOf } from '../sha512.ts';
import type { Disk } from './disk.ts';
import type { GroupSync } from './group-sync.ts';
import { Turn } from './turn.ts';

export const CHECKSUM_BYTES = 64;
/** From here on hashing goes to a thread, bytes. */
const BIG = 1024 * 1024;

export async function sha512(bytes: Uint8Array): Promise<Buffer> {
  if (bytes.length < BIG) return digestOf(bytes);
  return Buffer.from(await crypto.subtle.digest('SHA-512', bytes as Uint8Array<ArrayBuffer>));
}

export type ChecksumState = 'good' | 'absent' | 'cut' | 'wrong';

/** What follows the gob of `gobLength` bytes whose hash is `digest`. */
export function checksumState(file: Uint8Array, gobLength: number, digest: Uint8Array): ChecksumState {
  const stored = file.subarray(gobLength, gobLength + CHECKSUM_BYTES);
  if (stored.length === 0) return 'absent';
  if (!Buffer.from(digest.buffer, digest.byteOffset, stored.length).equals(stored)) return 'wrong';
  return stored.length === CHECKSUM_BYTES ? 'good' : 'cut';
}

/** A slice of a big file, bytes: what is written in one go. */
const SLICE = 1024 * 1024;

/**
 * Writes a file whose contents are durable and whose name is not: nothing is left of it if that fails. `group`: synced
 * together with others.
 */
export async function writeTemporary(
  disk: Disk,
  temporary: string,
  parts: readonly Uint8Array[],
  mode: number,
  group?: GroupSync,
): Promise<void> {
  const fd = disk.open(temporary, 'wx', mode);
  try {
    try {
      const turn = new Turn();
      for (const part of parts)
        for (let at = 0; at < part.length; at += SLICE) {
          disk.write(fd, part.subarray(at, at + SLICE));
          if (turn.over()) await turn.next();
        }
      await (group ? group.sync(() => disk.sync(fd)) : disk.sync(fd));
    } finally {
      disk.close(fd);
    }
  } catch (thrown) {
    dropTemporary(disk, temporary);
    throw thrown;
  }
}

/** Renames; the temporary file is gone if that fails. Not durable before the directory is synced. */
export function putInPlace(disk: Disk, temporary: string, path: string): void {
  try {
    disk.rename(temporary, path);
  } catch (thrown) {
    dropTemporary(disk, temporary);
    throw thrown;
  }
}

function dropTemporary(disk: Disk, temporary: string): void {
  try {
    disk.unlink(temporary);
  } catch {
    // Gone already, or the disk is broken: what was thrown first says more. The next start clears it away.
  }
}

/** Puts a file in place: durable and complete, or not at all. `temporary` is on the same file system. */
export async function writeWhole(
  disk: Disk,
  path: string,
  temporary: string,
  parts: readonly Uint8Array[],
  mode: number,
): Promise<void> {
  await writeTemporary(disk, temporary, parts, mode);
  putInPlace(disk, temporary, path);
  await disk.syncPath(dirname(path));
}
