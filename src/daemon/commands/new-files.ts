/** Files that commands create: never overwritten without being told, complete or not there, keys readable by their owner only. */
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
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

/** Makes a directory and those above it; returns whether it was not there. */
export function makeDirectory(path: string, mode: number, owner?: Owner): boolean {
  if (existsSync(path)) return false;
  makeDirectory(dirname(path), 0o755);
  mkdirSync(path, mode);
  chmodSync(path, mode);
  if (owner) chownSync(path, owner.uid, owner.gid);
  return true;
}

/** Writes a file whole. Throws CommandError if it is there already and may not be replaced. */
export function writeNewFile({ path, text, mode, owner }: NewFile, replace: boolean): void {
  makeDirectory(dirname(path), 0o755);
  const temporary = `${path}.${process.pid}.new`;
  const file = openSync(temporary, 'wx', mode);
  try {
    writeSync(file, text);
    if (owner) chownSync(temporary, owner.uid, owner.gid);
    chmodSync(temporary, mode);
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
