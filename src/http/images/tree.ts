/** Looking inside an image: a directory page by page, or the one inode at a path. */
import { ImageServerError } from '../../errors.ts';
import type { GenericInode, Tree } from '../../wire/messages/filesystem.ts';
import { jsonOf } from '../reply.ts';

/** Symbolic links followed before giving up, as in Linux. */
const MAX_LINKS = 40;

function entryOf(tree: Tree, directory: GenericInode, name: string): GenericInode | undefined {
  if (directory.Kind !== 'directory') return undefined;
  const entry = directory.EntryList.find((one) => one?.Name === name);
  return entry ? (tree.InodeTable?.get(entry.InodeNumber) ?? undefined) : undefined;
}

export interface Found {
  /** Absolute, without symbolic links where they were followed. */
  readonly path: string;
  readonly inode: GenericInode;
}

/**
 * The inode at a path inside the image; symbolic links on the way are followed, within the image only, the last one
 * only if `followLast`. Throws FILE_NOT_FOUND.
 */
export function lookUp(tree: Tree, path: string, followLast: boolean): Found {
  const root: GenericInode = { Kind: 'directory', ...tree.DirectoryInode };
  let trail: { name: string; inode: GenericInode }[] = [];
  const waiting = path.split('/').reverse();
  for (let links = 0; waiting.length > 0; ) {
    const name = waiting.pop() as string;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      trail.pop();
      continue;
    }
    const inode = entryOf(tree, trail.at(-1)?.inode ?? root, name);
    if (!inode)
      throw new ImageServerError('FILE_NOT_FOUND', `no such file in the image: ${JSON.stringify(path)}`);
    const follow = inode.Kind === 'symlink' && (followLast || waiting.some((part) => part !== ''));
    if (!follow) {
      trail.push({ name, inode });
      continue;
    }
    if (++links > MAX_LINKS)
      throw new ImageServerError('FILE_NOT_FOUND', 'too many levels of symbolic links');
    if (inode.Symlink.startsWith('/')) trail = [];
    waiting.push(...inode.Symlink.split('/').reverse());
  }
  return { path: `/${trail.map((part) => part.name).join('/')}`, inode: trail.at(-1)?.inode ?? root };
}

/** An inode as JSON, directories with the number of their entries in place of these. */
export function inodeFields(inode: GenericInode): Record<string, unknown> {
  if (inode.Kind !== 'directory') return { ...inode };
  const { EntryList, EntriesByName: _cache, ...rest } = inode;
  return { ...rest, Entries: EntryList.length };
}

/** The JSON of a path: its inode, and if it is a directory `limit` of its entries from `offset` on. */
export function treeJson(tree: Tree, found: Found, offset: number, limit: number): string {
  const { path, inode } = found;
  if (inode.Kind !== 'directory') return jsonOf({ Path: path, ...inodeFields(inode) });
  const page = inode.EntryList.slice(offset, offset + limit).map((entry) => {
    const child = entry ? tree.InodeTable?.get(entry.InodeNumber) : undefined;
    return {
      Name: entry?.Name ?? '',
      InodeNumber: entry?.InodeNumber ?? 0n,
      ...(child ? inodeFields(child) : { Kind: null }),
    };
  });
  const next = offset + limit;
  return jsonOf({
    Path: path,
    ...inodeFields(inode),
    Offset: offset,
    EntryList: page,
    NextOffset: next < inode.EntryList.length ? next : null,
  });
}
