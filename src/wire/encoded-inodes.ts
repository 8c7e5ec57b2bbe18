/** The inode table of an image as a map whose inodes are decoded each time one is asked for: no tree of objects is kept. */
import type { InodePlaces } from './inode-places.ts';
import type { GenericInode } from './messages/filesystem.ts';

/** What takes the memory; undefined when it has been let go of. */
interface Loaded {
  readonly places: InodePlaces | undefined;
}

export class EncodedInodes implements ReadonlyMap<bigint, GenericInode | null> {
  #loaded: Loaded;

  constructor(loaded: Loaded) {
    this.#loaded = loaded;
  }

  get places(): InodePlaces {
    const { places } = this.#loaded;
    if (!places) throw new Error('the tree is not loaded');
    return places;
  }
  /** In place of what has been let go of: made of the same bytes. */
  attach(loaded: Loaded): void {
    this.#loaded = loaded;
  }

  get size(): number {
    return this.places.size;
  }
  has(key: bigint): boolean {
    return this.places.find(key) >= 0;
  }
  get(key: bigint): GenericInode | null | undefined {
    const place = this.places.find(key);
    return place < 0 ? undefined : this.places.inodeAt(place);
  }
  /** Whether there is an inode of that number which is not nil. */
  isInode(key: bigint): boolean {
    const place = this.places.find(key);
    return place >= 0 && !this.places.isNil(place);
  }
  /** Whether it is known to be no directory without being decoded. */
  isLeaf(key: bigint): boolean {
    const place = this.places.find(key);
    const kind = place < 0 ? undefined : this.places.typeAt(place)?.kind;
    return kind !== undefined && kind !== 'directory';
  }
  /** Whether it is such an inode, and one of another table is encoded in the same way with the same bytes. */
  isLeafLike(key: bigint, others: EncodedInodes, other: bigint): boolean {
    if (!this.isLeaf(key)) return false;
    const place = others.places.find(other);
    return place >= 0 && this.places.isEncodedLike(this.places.find(key), others.places, place);
  }
  *#live(): Generator<number> {
    for (let place = 0; place < this.places.length; place++) if (this.places.isThere(place)) yield place;
  }
  *keys(): MapIterator<bigint> {
    for (const place of this.#live()) yield this.places.keyAt(place);
  }
  *values(): MapIterator<GenericInode | null> {
    for (const place of this.#live()) yield this.places.inodeAt(place);
  }
  *entries(): MapIterator<[bigint, GenericInode | null]> {
    for (const place of this.#live()) yield [this.places.keyAt(place), this.places.inodeAt(place)];
  }
  [Symbol.iterator](): MapIterator<[bigint, GenericInode | null]> {
    return this.entries();
  }
  forEach(
    work: (value: GenericInode | null, key: bigint, map: ReadonlyMap<bigint, GenericInode | null>) => void,
  ): void {
    for (const [key, value] of this.entries()) work(value, key, this);
  }
}
