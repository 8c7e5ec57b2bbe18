/** Contents on this machine that may become objects. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { makeSha512, sha512Hex } from '../sha512.ts';

/** What tells whether a file is still the one that was hashed. */
interface Stamp {
  readonly inode: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

/** Bytes with their hash; either a range of a file that is read again when it is sent, or kept in memory. */
export type Content = {
  readonly hash: string;
  readonly size: number;
} & (
  | { readonly bytes: Uint8Array }
  | { readonly file: string | Buffer; readonly offset: number; readonly stamp: Stamp }
);

const PIECE = 1024 * 1024;
/** Files up to this size are kept in memory when they are hashed, and not read again to be sent. */
const KEPT = 16 * 1024;
/** Files up to this size are read and hashed at once: handing them to another thread would take longer. */
const SMALL = 64 * 1024;
/** Files up to this size are hashed by other threads, whole. */
const MEDIUM = 8 * 1024 * 1024;

const shared = Buffer.allocUnsafeSlow(SMALL);

function changed(file: string | Buffer): ImageServerError {
  return new ImageServerError('CONFLICT', `${file}: file changed while it was read`);
}

function stampOf(fd: number): Stamp {
  const { ino, size, mtimeNs } = fstatSync(fd, { bigint: true });
  return { inode: ino, size, mtimeNs };
}
function isSame(a: Stamp, b: Stamp): boolean {
  return a.inode === b.inode && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

function fill(fd: number, target: Buffer, position: number, file: string | Buffer): void {
  for (let at = 0; at < target.length; ) {
    const read = readSync(fd, target, at, target.length - at, position + at);
    if (read === 0) throw changed(file);
    at += read;
  }
}

/** SHA-512, hex; bigger pieces are hashed beside this thread. */
export async function hashBytes(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  if (bytes.length <= SMALL) return sha512Hex(bytes);
  return Buffer.from(await crypto.subtle.digest('SHA-512', bytes)).toString('hex');
}

/** Lets other work go on. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Hashes the whole of a file of the given size, without following a symbolic link; `onBytes` is told of progress. Small
 * files are dealt with at once. Throws CONFLICT if the file is not what it was.
 */
export function hashFile(
  file: string | Buffer,
  size: number,
  onBytes: (bytes: number) => void,
): Content | Promise<Content> {
  if (size > KEPT) return hashRange(file, size, onBytes);
  const bytes = readSmall(file, size);
  onBytes(size);
  return { hash: sha512Hex(bytes), size, bytes };
}

function readSmall(file: string | Buffer, size: number): Buffer {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const before = fstatSync(fd);
    if (before.size !== size) throw changed(file);
    const bytes = Buffer.allocUnsafe(size);
    fill(fd, bytes, 0, file);
    const after = fstatSync(fd);
    if (after.size !== size || after.mtimeMs !== before.mtimeMs) throw changed(file);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

async function hashRange(
  file: string | Buffer,
  size: number,
  onBytes: (bytes: number) => void,
): Promise<Content> {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const stamp = stampOf(fd);
    if (stamp.size !== BigInt(size)) throw changed(file);
    let hash: string;
    if (size <= MEDIUM) {
      // Bytes that are hashed at once may share their place; others are hashed while more are read.
      const bytes = size <= SMALL ? shared.subarray(0, size) : Buffer.allocUnsafeSlow(size);
      fill(fd, bytes, 0, file);
      hash = await hashBytes(bytes);
      onBytes(size);
    } else {
      const hasher = makeSha512();
      const piece = Buffer.allocUnsafe(PIECE);
      for (let at = 0; at < size; at += PIECE) {
        const part = piece.subarray(0, Math.min(PIECE, size - at));
        fill(fd, part, at, file);
        hasher.update(part);
        onBytes(part.length);
        await breathe();
      }
      hash = hasher.digest().toString('hex');
    }
    if (!isSame(stamp, stampOf(fd))) throw changed(file);
    return { hash, size, file, offset: 0, stamp };
  } finally {
    closeSync(fd);
  }
}

/** A range of an open file whose hash is known, to be read again later. */
export function rangeContent(
  fd: number,
  file: string | Buffer,
  offset: number,
  size: number,
  hash: string,
): Content {
  return { hash, size, file, offset, stamp: stampOf(fd) };
}

/** Opens the file of a content for the time of `work`. Throws CONFLICT if it is not what was hashed. */
export function withFile(
  content: Extract<Content, { file: unknown }>,
  work: (fd: number) => void | Promise<void>,
): void | Promise<void> {
  const fd = openSync(content.file, 'r');
  let working: void | Promise<void>;
  try {
    if (!isSame(content.stamp, stampOf(fd))) throw changed(content.file);
    working = work(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  if (working) return working.finally(() => closeSync(fd));
  closeSync(fd);
}

/** The error for a content whose bytes were others when they were sent. */
export function changedContent(content: Content): ImageServerError | undefined {
  return 'file' in content ? changed(content.file) : undefined;
}
