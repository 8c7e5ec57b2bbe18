/** File contents on this machine that may become objects. */
import { closeSync, openSync, readSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';

/** A range of a file and the hash of its bytes. */
export interface Content {
  readonly file: string | Buffer;
  readonly offset: number;
  readonly size: number;
  readonly hash: string;
}

const PIECE = 1024 * 1024;
const buffer = Buffer.allocUnsafe(PIECE);

/** SHA-512 of a range, hex. Throws if the file is shorter. */
export function hashRange(
  fd: number,
  offset: number,
  size: number,
  onBytes?: (bytes: number) => void,
): string {
  const hasher = new Bun.CryptoHasher('sha512');
  for (let at = 0; at < size; ) {
    const read = readSync(fd, buffer, 0, Math.min(PIECE, size - at), offset + at);
    if (read === 0) throw new ImageServerError('CONFLICT', 'file changed while it was read');
    hasher.update(buffer.subarray(0, read));
    at += read;
    onBytes?.(read);
  }
  return hasher.digest('hex');
}

/** Opens for the time of `work`. */
export async function withFile<T>(file: string | Buffer, work: (fd: number) => T | Promise<T>): Promise<T> {
  const fd = openSync(file, 'r');
  try {
    return await work(fd);
  } finally {
    closeSync(fd);
  }
}
