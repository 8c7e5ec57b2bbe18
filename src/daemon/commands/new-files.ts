/** Files that commands create: never overwritten without being told, complete or not there, keys readable by their owner only. */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CommandError } from './command.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface NewFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  readonly owner?: Owner | undefined;
}

/**
 * To whom files in a directory shall belong: to its owner, or that of the nearest directory above it that is there. So
 * that what root puts into somebody's home can be read there.
 */
export function ownerAt(directory: string): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (let path = resolve(directory); ; path = dirname(path)) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats) return { uid: stats.uid, gid: stats.gid };
  }
}

/** Makes a directory and those above it, which belong to `parents`; returns whether it was not there. */
export function makeDirectory(path: string, mode: number, owner?: Owner, parents?: Owner): boolean {
  if (existsSync(path)) return false;
  makeDirectory(dirname(path), 0o755, parents, parents);
  mkdirSync(path, mode);
  // By descriptor: in the directory of somebody else the name may lead elsewhere by now.
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    fchmodSync(directory, mode);
    if (owner) fchownSync(directory, owner.uid, owner.gid);
  } finally {
    closeSync(directory);
  }
  return true;
}

/** Writes a file whole. Throws CommandError if it is there already and may not be replaced. */
export function writeNewFile({ path, text, mode, owner }: NewFile, replace: boolean): void {
  makeDirectory(dirname(path), 0o755);
  const temporary = `${path}.${process.pid}.new`;
  const file = openSync(temporary, 'wx', mode);
  try {
    writeSync(file, text);
    if (owner) fchownSync(file, owner.uid, owner.gid);
    fchmodSync(file, mode);
    fsyncSync(file);
    closeSync(file);
    if (replace) renameSync(temporary, path);
    else linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw existsAlready(path);
    throw error;
  } finally {
    if (existsSync(temporary)) unlinkSync(temporary);
  }
}

export function existsAlready(path: string): CommandError {
  return new CommandError(`${path} exists already; -force overwrites it`);
}
