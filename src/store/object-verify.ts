/** Reading stored objects back: equal to another file? still what their hash says? In slices. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { makeSha512 } from '../sha512.ts';
import { errno, isUnreadable } from './disk.ts';
import { Turn } from './turn.ts';
import type { Hash } from './types.ts';

const CHUNK = 256 * 1024;

export interface Examined {
  readonly hash: Hash;
  readonly size: number;
  /** Of the file that was read; undefined if there was none. */
  readonly inode: bigint | undefined;
}

/** Hash and length of a file; both those of nothing if it is gone. `pace`: called with the bytes of each slice. */
export async function examine(
  path: string,
  pace?: (bytes: number) => undefined | Promise<void>,
): Promise<Examined> {
  const hasher = makeSha512();
  let size = 0;
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (thrown) {
    if (errno(thrown) !== 'ENOENT') throw thrown;
    return { hash: hasher.digest().toString('hex'), size, inode: undefined };
  }
  let inode: bigint;
  try {
    const stat = fstatSync(fd, { bigint: true });
    inode = stat.ino;
    // One more than there should be: the end is met in the second look.
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Number(stat.size) + 1));
    const turn = new Turn();
    for (;;) {
      const count = readSync(fd, buffer, 0, buffer.length, size);
      if (count === 0) break;
      hasher.update(buffer.subarray(0, count));
      size += count;
      const pause = pace?.(count);
      if (pause) await pause;
      if (turn.over()) await turn.next();
    }
  } finally {
    closeSync(fd);
  }
  return { hash: hasher.digest().toString('hex'), size, inode };
}

/** True if both files exist and have equal contents. */
export async function sameFiles(left: string, right: string): Promise<boolean> {
  const fds: number[] = [];
  try {
    for (const path of [left, right]) fds.push(openSync(path, 'r'));
    const [a, b] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
    const turn = new Turn();
    for (let at = 0; ; ) {
      const count = readSync(fds[0] as number, a, 0, CHUNK, at);
      if (readSync(fds[1] as number, b, 0, CHUNK, at) !== count) return false;
      if (count === 0) return true;
      if (a.compare(b, 0, count, 0, count) !== 0) return false;
      at += count;
      if (turn.over()) await turn.next();
    }
  } catch (thrown) {
    if (isUnreadable(thrown)) return false;
    throw thrown;
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}
