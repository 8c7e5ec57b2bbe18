/** Images and directories in memory: by name, by directory in order of creation, and as the ready-made listing. */
import { parentDirectory } from '../image/paths.ts';
import { compareVersions } from '../image/version-order.ts';
import type { Directory } from '../wire/messages/image.ts';
import type { ImageRecord } from './image-record.ts';
import type { CatalogueEvent, ImageEntry } from './types.ts';

interface DirectoryState {
  ownerGroup: string;
  /** Images directly inside, oldest first; of the same age in version order. */
  readonly images: ImageEntry[];
  subdirectories: number;
}

export type Listener = (event: CatalogueEvent) => void;
type UnnumberedEvent = CatalogueEvent extends infer E ? (E extends E ? Omit<E, 'sequence'> : never) : never;

/** Version order, with the difference between `a1` and `a01` that it does not see. */
function compareNames(a: string, b: string): number {
  return compareVersions(a, b) || (a < b ? -1 : Number(a > b));
}

function compareAge(a: ImageEntry, b: ImageEntry): number {
  const left = a.createdOn.unixNanos;
  const right = b.createdOn.unixNanos;
  return left < right ? -1 : left > right ? 1 : compareNames(a.name, b.name);
}

/** The root first, then in version order, which puts parents before children. */
function compareDirectories(a: Directory, b: Directory): number {
  if (a.Name === '.' || b.Name === '.') return Number(b.Name === '.') - Number(a.Name === '.');
  return compareNames(a.Name, b.Name);
}

/** Where `item` is or belongs in the list. */
function position<T>(list: readonly T[], item: T, compare: (a: T, b: T) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(list[middle] as T, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Catalogue {
  readonly images = new Map<string, ImageRecord>();
  readonly #directories = new Map<string, DirectoryState>();
  /** Kept in order once somebody has asked; a new array for each change, others may be reading the old one. */
  #sorted: readonly Directory[] | undefined;
  readonly #listeners = new Set<Listener>();
  readonly #log: (line: string) => void;
  #listing: Uint8Array | undefined;
  #sequence = 0;
  #generation = 0;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  put(record: ImageRecord): void {
    const { name } = record.entry;
    const before = this.images.get(name);
    if (before) this.#takeOut(before.entry);
    else this.#changed();
    this.images.set(name, record);
    const { images } = this.#directories.get(parentDirectory(name)) as DirectoryState;
    images.splice(position(images, record.entry, compareAge), 0, record.entry);
  }

  remove(name: string): void {
    const record = this.images.get(name);
    if (!record) return;
    this.#takeOut(record.entry);
    this.images.delete(name);
    this.#changed();
  }

  #changed(): void {
    this.#listing = undefined;
    this.#generation++;
  }

  /** Another number whenever an image or directory comes or goes, or a directory gets another owner. */
  get generation(): number {
    return this.#generation;
  }

  #takeOut(entry: ImageEntry): void {
    const images = this.#directories.get(parentDirectory(entry.name))?.images ?? [];
    const at = position(images, entry, compareAge);
    if (images[at] === entry) images.splice(at, 1);
  }

  /** Newest first. */
  *newestIn(directory: string): Iterable<ImageEntry> {
    const images = this.#directories.get(directory)?.images ?? [];
    for (let at = images.length - 1; at >= 0; at--) yield images[at] as ImageEntry;
  }

  listing(): Uint8Array {
    if (!this.#listing) {
      let text = '';
      for (const name of this.images.keys()) text += `${name}\n`;
      this.#listing = Buffer.from(`${text}\n`);
    }
    return this.#listing;
  }

  hasDirectory(name: string): boolean {
    return this.#directories.has(name);
  }

  ownerGroup(name: string): string | undefined {
    return this.#directories.get(name)?.ownerGroup;
  }

  putDirectory(name: string, ownerGroup: string): void {
    this.#generation++;
    const state = this.#directories.get(name);
    if (state) state.ownerGroup = ownerGroup;
    else {
      this.#directories.set(name, { ownerGroup, images: [], subdirectories: 0 });
      if (name !== '.') (this.#directories.get(parentDirectory(name)) as DirectoryState).subdirectories++;
    }
    const directory = { Name: name, Metadata: { OwnerGroup: ownerGroup } };
    this.#sorted &&= this.#sorted.toSpliced(this.#positionOf(directory), state ? 1 : 0, directory);
  }

  removeDirectory(name: string): void {
    if (!this.#directories.delete(name)) return;
    this.#generation++;
    (this.#directories.get(parentDirectory(name)) as DirectoryState).subdirectories--;
    const gone = { Name: name, Metadata: { OwnerGroup: '' } };
    this.#sorted &&= this.#sorted.toSpliced(this.#positionOf(gone), 1);
  }

  #positionOf(directory: Directory): number {
    return position(this.#sorted ?? [], directory, compareDirectories);
  }

  isEmptyDirectory(name: string): boolean {
    const state = this.#directories.get(name);
    return state !== undefined && state.images.length === 0 && state.subdirectories === 0;
  }

  /** The root first, then in version order. */
  directories(): readonly Directory[] {
    this.#sorted ??= Array.from(this.#directories, ([Name, { ownerGroup }]) => ({
      Name,
      Metadata: { OwnerGroup: ownerGroup },
    })).sort(compareDirectories);
    return this.#sorted;
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(event: UnnumberedEvent): void {
    const numbered = { ...event, sequence: ++this.#sequence } as CatalogueEvent;
    for (const listener of this.#listeners) {
      try {
        listener(numbered);
      } catch (thrown) {
        this.#log(`A listener to image updates failed: ${thrown}`);
      }
    }
  }
}
