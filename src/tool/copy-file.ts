/** Copies of files of this machine. */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';

const PIECE = 1024 * 1024;

/**
 * Opens a file to read, without following a symbolic link, for the time of `work`. What has become something else than a
 * regular file is not given to it.
 */
export async function withRegularFile(
  file: Buffer,
  work: (fd: number, stat: BigIntStats) => Promise<void>,
): Promise<boolean> {
  const fd = openPresent(file);
  if (fd === undefined) return false;
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) return false;
    await work(fd, stat);
    return true;
  } finally {
    closeSync(fd);
  }
}

/** Undefined if it has gone, or a symbolic link is in its place. A fifo in its place must not make us wait. */
function openPresent(file: Buffer): number | undefined {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP') return undefined;
    throw error;
  }
}

/** The bytes of an open file, in pieces that are only valid until the next. Lets other work go on between them. */
export async function* piecesOf(fd: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafe(PIECE);
  for (let at = 0; ; ) {
    const length = readSync(fd, piece, 0, PIECE, at);
    if (length === 0) return;
    at += length;
    yield piece.subarray(0, length);
    if (length === PIECE) await new Promise((resolve) => setImmediate(resolve));
  }
}

export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
