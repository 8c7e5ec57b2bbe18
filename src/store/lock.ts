/** One daemon per data directory: a hidden lock file with the holder's pid, held with flock(2) as long as it lives. */
import { closeSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { lockFile } from './native.ts';

const LOCK_FILE = '.lock';

export interface DirectoryLock {
  release(): void;
}

/** Start time of a process in clock ticks, so that a pid used again is not mistaken for the old one. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return ''; // No such process, or no /proc.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as { code?: string }).code === 'EPERM';
  }
}

/** Throws CONFLICT naming the other daemon's pid. `what`: the directory in words, for the message. */
export function lockDirectory(directory: string, what: string): DirectoryLock {
  const fd = openSync(join(directory, LOCK_FILE), 'a+', 0o644);
  try {
    const buffer = Buffer.alloc(128);
    const [pidText = '', started = ''] = buffer
      .toString('latin1', 0, readSync(fd, buffer, 0, 128, 0))
      .split(/\s/);
    const pid = Number(pidText);
    const taken = lockFile(fd);
    const held =
      taken === undefined
        ? pid > 0 && pid !== process.pid && isAlive(pid) && startOf(pid) === started
        : !taken;
    if (held)
      throw new ImageServerError(
        'CONFLICT',
        `${what} is in use by another image server${pid > 0 ? ` (pid ${pid})` : ''}`,
      );
    try {
      ftruncateSync(fd, 0);
      writeSync(fd, `${process.pid} ${startOf(process.pid)}\n`);
    } catch (thrown) {
      // On a full disk the lock holds all the same, without a name on it; unless the name is all there is.
      if (taken === undefined) throw thrown;
    }
  } catch (thrown) {
    closeSync(fd);
    throw thrown;
  }
  // The file stays: removing it would let two others lock two different ones.
  return {
    release() {
      ftruncateSync(fd, 0);
      closeSync(fd);
    },
  };
}
