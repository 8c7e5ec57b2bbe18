/**
 * Files of the form gob + SHA-512 of the gob (64 bytes): images, `.metadata`, `.unreferenced-objects`. Always written
 * under a hidden name, synced and renamed. Bytes after the checksum are ignored: the original leaves some.
 */
import { dirname } from 'node:path';
import type { Disk } from './disk.ts';

export const CHECKSUM_BYTES = 64;
/** From here on hashing goes to a thread, bytes. */
const BIG = 1024 * 1024;

export async function sha512(bytes: Uint8Array): Promise<Buffer> {
  if (bytes.length < BIG) return new Bun.CryptoHasher('sha512').update(bytes).digest() as Buffer;
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

/** Puts a file in place: durable and complete, or not at all. `temporary` is on the same file system. */
export async function writeWhole(
  disk: Disk,
  path: string,
  temporary: string,
  parts: readonly Uint8Array[],
  mode: number,
): Promise<void> {
  const fd = disk.open(temporary, 'wx', mode);
  try {
    try {
      for (const part of parts) disk.write(fd, part);
      await disk.sync(fd);
    } finally {
      disk.close(fd);
    }
    disk.rename(temporary, path);
  } catch (thrown) {
    try {
      disk.unlink(temporary);
    } catch {
      // Gone already, or the disk is broken: what was thrown first says more. The next start clears it away.
    }
    throw thrown;
  }
  await disk.syncPath(dirname(path));
}
