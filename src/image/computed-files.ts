/** Computed files: regular files whose contents are made for each machine by a source such as `host:6972`. */
import { ImageServerError } from '../errors.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import { parseGoJson } from './go-json.ts';
import { countTree, inodeNumbers, linkCounts } from './tree.ts';

/** Absolute path to source. */
export type ComputedFiles = ReadonlyMap<string, string>;

function wrong(text: string, cause?: unknown): ImageServerError {
  return new ImageServerError('INVALID_REQUEST', text, { cause });
}

/** Lines `PATH SOURCE` with # comments. Throws INVALID_REQUEST. */
export function parseComputedFiles(text: string): ComputedFiles {
  const files = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [path, source, ...more] = line.trim().split(/\s+/);
    if (path === undefined || source === undefined || more.length > 0) throw wrong(`bad line: ${line}`);
    files.set(path, source);
  }
  return files;
}

/** A JSON array of `{"Filename":…,"Source":…}`. Throws INVALID_REQUEST. */
export function parseComputedFilesJson(text: string): ComputedFiles {
  let list: unknown;
  try {
    list = parseGoJson(text);
  } catch (cause) {
    throw wrong(`error decoding computed files list ${(cause as Error).message}`, cause);
  }
  if (!Array.isArray(list)) throw wrong('error decoding computed files list json: not an array');
  const files = new Map<string, string>();
  for (const one of list as { Filename?: unknown; Source?: unknown }[]) {
    if (typeof one?.Filename !== 'string' || typeof one.Source !== 'string')
      throw wrong('error decoding computed files list: an entry needs Filename and Source');
    files.set(one.Filename, one.Source);
  }
  return files;
}

/** A copy in which those files are computed. Each must be a regular file with one link. Throws INVALID_IMAGE. */
export function spliceComputedFiles(tree: FileSystem, files: ComputedFiles): FileSystem {
  if (files.size === 0) return tree;
  const fail = (path: string, what: string): never => {
    throw new ImageServerError('INVALID_IMAGE', `cannot splice computed files: ${path}: ${what}`);
  };
  const inodes = new Map(tree.InodeTable);
  const numbers = inodeNumbers(tree);
  const links = linkCounts(tree);
  for (const [path, Source] of files) {
    const number = numbers.get(path) ?? fail(path, 'missing from image');
    const inode = inodes.get(number);
    if (inode?.Kind === 'computed') {
      inodes.set(number, { ...inode, Source });
      continue;
    }
    if (inode?.Kind !== 'regular') return fail(path, 'not a regular file');
    const count = links.get(number) ?? 0;
    if (count !== 1) fail(path, `multiple inodes: ${count}`);
    inodes.set(number, { Kind: 'computed', Mode: inode.Mode, Uid: inode.Uid, Gid: inode.Gid, Source });
  }
  return countTree({ ...tree, InodeTable: inodes });
}
