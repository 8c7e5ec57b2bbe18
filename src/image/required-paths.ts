/** Paths that every image which owns its whole file system must have. */
import { ImageServerError } from '../errors.ts';
import type { FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
import { inodeNumbers } from './tree.ts';

type Kind = GenericInode['Kind'];

/** What a type letter accepts, and how it is called in messages. Other letters ask for existence only. */
const TYPES: Readonly<Record<string, { readonly kinds: readonly Kind[]; readonly name: string }>> = {
  b: { kinds: ['special'], name: 'special file' },
  c: { kinds: ['special'], name: 'special file' },
  p: { kinds: ['special'], name: 'special file' },
  d: { kinds: ['directory'], name: 'directory' },
  f: { kinds: ['regular', 'computed'], name: 'regular file' },
  l: { kinds: ['symlink'], name: 'symlink' },
};

/** Throws INVALID_IMAGE if one of the `path:type` entries is not there or is of another type. */
export function checkRequiredPaths(tree: FileSystem, required: readonly string[]): void {
  const numbers = inodeNumbers(tree);
  for (const entry of required) {
    const colon = entry.lastIndexOf(':');
    const path = entry.slice(0, colon);
    const fail = (text: string): never => {
      throw new ImageServerError('INVALID_IMAGE', `VerifyRequiredPaths(): ${text}: ${path}`);
    };
    const inode = tree.InodeTable?.get(numbers.get(path) ?? fail('missing path'));
    const type = TYPES[entry.slice(colon + 1)];
    if (inode && type && !type.kinds.includes(inode.Kind)) fail(`path is not a ${type.name}`);
  }
}
