/** What has to be done to a tree so that it becomes that of an image. */
import type { FileSystem, GenericInode, InodeOf } from '../wire/messages/filesystem.ts';
import type { PathFilter } from './filter.ts';
import { S_IFMT } from './mode.ts';
import { type TreeEntry, walkTree } from './tree.ts';

type Leaf = InodeOf<'regular'> | InodeOf<'symlink'> | InodeOf<'special'>;
type Owned<T> = { readonly path: string; readonly inode: T };

/** To be carried out in this order. Paths are absolute; what is above one comes before it. */
export interface Patch {
  /** Where there is no directory; something else may be in the way. */
  readonly directories: readonly Owned<InodeOf<'directory'>>[];
  /** New inodes, in place of whatever is there. */
  readonly inodes: readonly (Owned<Leaf> & { readonly number: bigint })[];
  /** Further names of inodes that are there when the new ones have been made. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** With all that is below. */
  readonly deletions: readonly string[];
  /** Other owners, modes or times of what is there. */
  readonly changes: readonly Owned<Leaf | InodeOf<'directory'>>[];
}

/** Whether owner, mode and, where it counts, time are the same. */
function sameMetadata(a: GenericInode, b: GenericInode): boolean {
  if (a.Uid !== b.Uid || a.Gid !== b.Gid) return false;
  if (a.Kind === 'symlink' || b.Kind === 'symlink') return true;
  if (a.Mode !== b.Mode) return false;
  if (!('MtimeSeconds' in a) || !('MtimeSeconds' in b)) return true;
  return a.MtimeSeconds === b.MtimeSeconds && a.MtimeNanoSeconds === b.MtimeNanoSeconds;
}

/** Whether an inode can become the other by a change of its metadata. */
function sameData(a: GenericInode, b: GenericInode): boolean {
  if (a.Kind === 'regular' && b.Kind === 'regular') return a.Size === b.Size && a.Hash === b.Hash;
  if (a.Kind === 'symlink' && b.Kind === 'symlink') return a.Symlink === b.Symlink;
  if (a.Kind === 'special' && b.Kind === 'special')
    return a.Rdev === b.Rdev && (a.Mode & S_IFMT) === (b.Mode & S_IFMT);
  return false;
}

/** The names of each inode. */
function namesOf(entries: Iterable<TreeEntry>): Map<bigint, string[]> {
  const names = new Map<bigint, string[]>();
  for (const { path, inodeNumber } of entries) {
    const known = names.get(inodeNumber);
    if (known) known.push(path);
    else names.set(inodeNumber, [path]);
  }
  return names;
}

/** An inode that stays, as one of the image: its number, and the name by which it is known to stay. */
interface Kept {
  readonly number: bigint;
  readonly path: string;
}

class Planner {
  readonly directories: Owned<InodeOf<'directory'>>[] = [];
  readonly inodes: (Owned<Leaf> & { number: bigint })[] = [];
  readonly links: { path: string; target: string }[] = [];
  readonly deletions: string[] = [];
  readonly changes: Owned<Leaf | InodeOf<'directory'>>[] = [];
  readonly #present: ReadonlyMap<string, TreeEntry>;
  readonly #presentNames: ReadonlyMap<bigint, string[]>;
  readonly #wanted: readonly TreeEntry[];
  /** By the number of the image's inode. */
  readonly #kept = new Map<bigint, Kept>();
  readonly #made = new Map<bigint, string>();

  constructor(
    present: FileSystem,
    wanted: FileSystem,
    readonly filter: PathFilter | undefined,
  ) {
    const entries = [...walkTree(present, filter)];
    this.#present = new Map(entries.map((entry) => [entry.path, entry]));
    this.#presentNames = namesOf(entries.slice(1));
    this.#wanted = [...walkTree(wanted, filter)];
  }

  run(): this {
    this.#keep();
    for (const entry of this.#wanted) {
      const { inode } = entry;
      if (inode.Kind === 'directory') this.#directory(entry.path, inode);
      // Nobody knows the contents of a computed file here: what is there stays.
      else if (inode.Kind !== 'computed') this.#leaf(entry, inode);
    }
    return this;
  }

  /** Finds out which of the inodes that are there can stay. */
  #keep(): void {
    const wantedNames = namesOf(this.#wanted.slice(1));
    const taken = new Set<bigint>();
    for (const { path, inodeNumber, inode } of this.#wanted) {
      const there = this.#present.get(path);
      if (!there || !sameData(there.inode, inode)) continue;
      if (this.#kept.has(inodeNumber) || taken.has(there.inodeNumber)) continue;
      // What is known by other names must not change there.
      const others = () => {
        const allowed = new Set(wantedNames.get(inodeNumber));
        return this.#presentNames.get(there.inodeNumber)?.some((name) => !allowed.has(name));
      };
      if (!sameMetadata(there.inode, inode) && others()) continue;
      this.#kept.set(inodeNumber, { number: there.inodeNumber, path });
      taken.add(there.inodeNumber);
    }
  }

  #directory(path: string, inode: InodeOf<'directory'>): void {
    const there = this.#present.get(path)?.inode;
    if (there?.Kind !== 'directory') {
      this.directories.push({ path, inode });
      return;
    }
    if (!sameMetadata(there, inode)) this.changes.push({ path, inode });
    // Without a filter the image does not own what it does not have.
    if (!this.filter) return;
    const names = new Set(inode.EntryList.map((entry) => entry?.Name));
    const prefix = path === '/' ? '' : path;
    for (const entry of there.EntryList) {
      if (!entry || names.has(entry.Name)) continue;
      const child = `${prefix}/${entry.Name}`;
      if (!this.filter(child)) this.deletions.push(child);
    }
  }

  #leaf({ path, inodeNumber }: TreeEntry, inode: Leaf): void {
    const there = this.#present.get(path);
    const kept = this.#kept.get(inodeNumber);
    if (kept && there?.inodeNumber === kept.number) {
      if (path === kept.path && !sameMetadata(there.inode, inode)) this.changes.push({ path, inode });
      return;
    }
    const target = kept?.path ?? this.#made.get(inodeNumber);
    if (target !== undefined) {
      this.links.push({ path, target });
      return;
    }
    this.#made.set(inodeNumber, path);
    this.inodes.push({ path, number: inodeNumber, inode });
  }
}

/**
 * How `present` becomes `wanted`: what the filter matches is left alone on both sides; without one nothing is deleted.
 * Computed files are left as they are.
 */
export function planPatch(present: FileSystem, wanted: FileSystem, filter: PathFilter | undefined): Patch {
  return new Planner(present, wanted, filter).run();
}
