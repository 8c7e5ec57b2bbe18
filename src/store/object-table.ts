/**
 * All objects in compact typed arrays: 64-byte hashes, sizes, reference counts, and the unreferenced ones in a linked
 * list, oldest first. An object's slot number stands for it in the object lists of images; a slot is reused only when
 * nothing refers to it and no lease holds it.
 */
import { HASH_BYTES, readHashWords } from './object-hash.ts';
import { unpackSlots } from './slot-list.ts';
import { sortSlots } from './slot-sort.ts';
import { Turn } from './turn.ts';

export const SlotState = { Free: 0, Present: 1, Missing: 2 } as const;
export type SlotState = (typeof SlotState)[keyof typeof SlotState];

/** Slots per page of the index; arrays grow by whole pages. */
export const PAGE_SLOTS = 512;
const WORDS = HASH_BYTES / 4;
/** Slots gone through between two looks at the clock. */
const BATCH = 512;

export class ObjectTable {
  /** 64 bytes a slot; slot 0 is never an object: it is the head of the list of unreferenced ones. */
  hashes = new Uint8Array(0);
  /** Bytes. */
  sizes = new Float64Array(0);
  /** Milliseconds since the epoch when it became unreferenced; 0 while referenced. */
  since = new Float64Array(0);
  states = new Uint8Array(0);
  references = new Uint32Array(0);
  /** Uploads in progress that need it. */
  leases = new Uint32Array(0);
  /** Seconds since the epoch; garbage collection leaves it alone until then. */
  protectedUntil = new Uint32Array(0);
  /** Pages changed since they were last written to the index. */
  readonly dirtyPages = new Set<number>();

  #words = new Uint32Array(0);
  #previous = new Uint32Array(0);
  #next = new Uint32Array(0);
  #buckets = new Uint32Array(0);
  #freeSlots: number[] = [];
  #unpacked = new Uint32Array(0);
  /** First slot never used. */
  #end = 1;
  #filled = 0;
  readonly #seed = crypto.getRandomValues(new Uint32Array(4));
  readonly #wanted = new Uint32Array(WORDS);
  readonly #wantedBytes = Buffer.from(this.#wanted.buffer);

  objects = 0;
  bytes = 0;
  unreferencedObjects = 0;
  unreferencedBytes = 0;
  /** Referenced, but not on disk. */
  missingObjects = 0;
  /** Counts changes of the unreferenced list. */
  listVersion = 0;

  constructor() {
    this.#grow(PAGE_SLOTS);
    this.#rehash(1024);
  }

  /** One past the highest slot in use. */
  get end(): number {
    return this.#end;
  }

  /** Slot of a hash given as bytes, or 0. */
  find(bytes: Uint8Array, at = 0): number {
    readHashWords(bytes, at, this.#wanted);
    return this.#findWanted();
  }

  /** As `find` for 128 hex digits; anything else is not found. */
  findText(hash: string): number {
    if (hash.length !== HASH_BYTES * 2 || this.#wantedBytes.write(hash, 'hex') !== HASH_BYTES) return 0;
    return this.#findWanted();
  }

  #findWanted(): number {
    const wanted = this.#wanted;
    const mask = this.#buckets.length - 1;
    for (let bucket = this.#bucketOf(wanted, 0) & mask; ; bucket = (bucket + 1) & mask) {
      const slot = this.#buckets[bucket] as number;
      if (slot === 0 || this.#equals(slot)) return slot;
    }
  }

  isMissing(slot: number): boolean {
    return this.states[slot] === SlotState.Missing && this.references[slot] !== 0;
  }

  isPresent(slot: number): boolean {
    return this.states[slot] === SlotState.Present;
  }

  /**
   * Makes an object known, or one that was missing present again. New ones are unreferenced since `now` (ms) and join
   * the young end of the list.
   */
  add(bytes: Uint8Array, at: number, size: number, now: number): number {
    let slot = this.find(bytes, at);
    if (slot === 0) {
      slot = this.#allocate(bytes, at);
      this.since[slot] = now;
    } else if (this.states[slot] === SlotState.Present) {
      return slot;
    } else if (this.references[slot] !== 0) this.missingObjects--;
    this.states[slot] = SlotState.Present;
    this.sizes[slot] = size;
    this.objects++;
    this.bytes += size;
    if (this.references[slot] === 0) this.#enlist(slot, now);
    this.#touch(slot);
    return slot;
  }

  /** An object an image needs and that is not here: a slot for its references. */
  addMissing(bytes: Uint8Array, at: number, size: number): number {
    const found = this.find(bytes, at);
    if (found !== 0) return found;
    const slot = this.#allocate(bytes, at);
    this.states[slot] = SlotState.Missing;
    this.sizes[slot] = size;
    this.#touch(slot);
    return slot;
  }

  /** The object is not on disk any more. Its slot stays while something refers to it. */
  remove(slot: number): void {
    if (this.states[slot] === SlotState.Present) {
      this.objects--;
      this.bytes -= this.sizes[slot] as number;
      if (this.references[slot] === 0) this.#delist(slot);
      else this.missingObjects++;
      this.states[slot] = SlotState.Missing;
    }
    this.#touch(slot);
    this.#freeIfUnused(slot);
  }

  /** The file turned out to have another length than recorded (found by the walk over the directories). */
  resize(slot: number, size: number): void {
    const change = size - (this.sizes[slot] as number);
    this.sizes[slot] = size;
    this.#touch(slot);
    if (!this.isPresent(slot)) return;
    this.bytes += change;
    if (this.references[slot] === 0) this.unreferencedBytes += change;
  }

  reference(slot: number): void {
    const count = (this.references[slot] as number) + 1;
    this.references[slot] = count;
    if (count !== 1) return;
    if (this.isPresent(slot)) {
      this.#delist(slot);
      this.#touch(slot);
    } else this.missingObjects++;
  }

  /** `now`: ms since the epoch, kept if it was the last reference. */
  unreference(slot: number, now: number): void {
    const count = (this.references[slot] as number) - 1;
    if (count < 0) throw new Error(`reference count of slot ${slot} below zero`);
    this.references[slot] = count;
    if (count > 0) return;
    if (this.isPresent(slot)) {
      this.#enlist(slot, now);
      this.#touch(slot);
    } else {
      this.missingObjects--;
      this.#freeIfUnused(slot);
    }
  }

  lease(slot: number): void {
    this.leases[slot] = (this.leases[slot] as number) + 1;
  }

  /** Ends a lease; the object stays protected until `until` (seconds since the epoch). */
  release(slot: number, until: number): void {
    this.leases[slot] = (this.leases[slot] as number) - 1;
    this.protect(slot, until);
    this.#freeIfUnused(slot);
  }

  protect(slot: number, until: number): void {
    if (until <= (this.protectedUntil[slot] as number)) return;
    this.protectedUntil[slot] = until;
    this.#touch(slot);
  }

  /** True if garbage collection must leave it alone at `now` (ms). */
  isProtected(slot: number, now: number): boolean {
    return (this.leases[slot] as number) > 0 || (this.protectedUntil[slot] as number) * 1000 > now;
  }

  isUnreferenced(slot: number): boolean {
    return this.references[slot] === 0 && this.states[slot] === SlotState.Present;
  }

  /** An unreferenced object uploaded again moves to the young end. */
  renew(slot: number, now: number): void {
    if (!this.isUnreferenced(slot)) return;
    this.#delist(slot);
    this.#enlist(slot, now);
    this.#touch(slot);
  }

  /** Sets when an unreferenced object became so (ms); `sortUnreferenced` must follow. */
  age(slot: number, since: number): void {
    this.since[slot] = since;
    this.#touch(slot);
  }

  /** Oldest first, in slices. What became unreferenced meanwhile is the youngest. */
  async sortUnreferenced(): Promise<void> {
    const sorted = await sortSlots(this.unreferencedSlots(), this.since);
    const isSorted = new Uint8Array(this.#end);
    for (const slot of sorted) isSorted[slot] = 1;
    const younger = this.unreferencedSlots().filter((slot) => isSorted[slot] === 0);
    this.#next[0] = 0;
    this.#previous[0] = 0;
    this.listVersion++;
    for (const slot of sorted) if (this.isUnreferenced(slot)) this.#link(slot);
    for (const slot of younger) this.#link(slot);
  }

  /** Slots of unreferenced objects, oldest first, as they are now. */
  unreferencedSlots(): Uint32Array {
    const slots = new Uint32Array(this.unreferencedObjects);
    let count = 0;
    for (let slot = this.#next[0] as number; slot !== 0; slot = this.#next[slot] as number)
      slots[count++] = slot;
    return slots;
  }

  /** Oldest unreferenced object after `slot` (0 = the oldest of all); 0 at the end. */
  nextUnreferenced(slot: number): number {
    return this.#next[slot] as number;
  }

  /** Makes room before `restore`: growing page by page would copy everything each time. */
  reserve(pages: number): void {
    this.#grow(pages * PAGE_SLOTS);
  }

  /**
   * A number that depends on the hashes in the given slots (packSlots), not on where they are: tells whether a list of
   * slots still means the same objects.
   */
  fingerprint(slots: Uint8Array): string {
    return this.#fingerprint(this.#unpack(slots));
  }

  #fingerprint(slots: Uint32Array): string {
    const words = this.#words;
    let low = 0;
    let high = 0;
    for (let index = 0; index < slots.length; index++) {
      const at = (slots[index] as number) * WORDS;
      low = (low + (words[at] as number)) | 0;
      high = (high + Math.imul((words[at + 1] as number) ^ (words[at + 2] as number), 0x9e3779b1)) | 0;
    }
    return `${slots.length}.${low >>> 0}.${high >>> 0}`;
  }

  /** True if all slots of a list (packSlots) are in use and it still means what it meant when it had that fingerprint. */
  means(packed: Uint8Array, fingerprint: string): boolean {
    const slots = this.#unpack(packed);
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index] as number;
      if (slot === 0 || slot >= this.#end || this.states[slot] === SlotState.Free) return false;
    }
    return this.#fingerprint(slots) === fingerprint;
  }

  /** One more reference to each slot of a list (packSlots), before `settle`. */
  count(packed: Uint8Array): void {
    const { references } = this;
    const slots = this.#unpack(packed);
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index] as number;
      references[slot] = (references[slot] as number) + 1;
    }
  }

  /** Until the next call. */
  #unpack(packed: Uint8Array): Uint32Array {
    if (packed.length > this.#unpacked.length) this.#unpacked = new Uint32Array(packed.length * 2);
    return this.#unpacked.subarray(0, unpackSlots(packed, this.#unpacked));
  }

  /** Takes in a page of the index: contents of `PAGE_SLOTS` slots from `first` on, written by `pageOf`. */
  restore(
    page: number,
    hashes: Uint8Array,
    sizes: Float64Array,
    since: Float64Array,
    protectedUntil: Uint32Array,
    states: Uint8Array,
  ): void {
    const first = page * PAGE_SLOTS;
    this.#grow(first + PAGE_SLOTS);
    this.hashes.set(hashes, first * HASH_BYTES);
    this.sizes.set(sizes, first);
    this.since.set(since, first);
    this.protectedUntil.set(protectedUntil, first);
    this.states.set(states, first);
    this.#end = Math.max(this.#end, first + PAGE_SLOTS);
  }

  /**
   * After all `restore`, in slices: objects can be found. Next the images count their references, then `settle`. What
   * rows of different times gave two slots keeps one of them; an image that names the other is read again.
   */
  async restored(): Promise<void> {
    let used = 0;
    for (let slot = 1; slot < this.#end; slot++) if (this.states[slot] !== SlotState.Free) used++;
    let buckets = 1024;
    while (buckets < used * 2) buckets *= 2;
    this.#buckets = new Uint32Array(buckets);
    this.#freeSlots = [];
    const turn = new Turn();
    for (let slot = this.#end - 1; slot > 0; slot--) {
      if (slot % BATCH === 0 && turn.over()) await turn.next();
      if (this.states[slot] !== SlotState.Free) {
        if (this.#insertOnce(slot)) continue;
        this.states[slot] = SlotState.Free;
        this.since[slot] = 0;
        this.#touch(slot);
        used--;
      }
      this.#freeSlots.push(slot);
    }
    this.#filled = used;
  }

  /** After `restored` and counting straight into `references`, in slices: totals and the unreferenced list. */
  async settle(now: number): Promise<void> {
    const slots = new Uint32Array(this.#end);
    let unreferenced = 0;
    const turn = new Turn();
    for (let slot = 1; slot < this.#end; slot++) {
      if (slot % BATCH === 0 && turn.over()) await turn.next();
      if (this.states[slot] !== SlotState.Present) {
        if (this.isMissing(slot)) this.missingObjects++;
        this.#freeIfUnused(slot);
        continue;
      }
      this.objects++;
      this.bytes += this.sizes[slot] as number;
      const referenced = this.references[slot] !== 0;
      if (!referenced) slots[unreferenced++] = slot;
      if (referenced === (this.since[slot] === 0)) continue;
      this.since[slot] = referenced ? 0 : now;
      this.#touch(slot);
    }
    const sorted = await sortSlots(slots.subarray(0, unreferenced), this.since);
    for (const [index, slot] of sorted.entries()) {
      this.#enlist(slot, this.since[slot] as number);
      if (index % BATCH === 0 && turn.over()) await turn.next();
    }
  }

  /** Forgets everything: what was restored cannot be trusted. */
  clear(): void {
    const fresh = new ObjectTable();
    this.hashes = fresh.hashes;
    this.#words = fresh.#words;
    this.sizes = fresh.sizes;
    this.since = fresh.since;
    this.states = fresh.states;
    this.references = fresh.references;
    this.leases = fresh.leases;
    this.protectedUntil = fresh.protectedUntil;
    this.#previous = fresh.#previous;
    this.#next = fresh.#next;
    this.#buckets = fresh.#buckets;
    this.#freeSlots = [];
    this.#end = 1;
    this.#filled = 0;
    this.dirtyPages.clear();
  }

  #allocate(bytes: Uint8Array, at: number): number {
    if ((this.#filled + 1) * 2 > this.#buckets.length) this.#rehash(this.#buckets.length * 2);
    let slot = this.#freeSlots.pop();
    if (slot === undefined) {
      slot = this.#end++;
      if (slot >= this.sizes.length)
        this.#grow(Math.ceil((this.sizes.length * 1.25 + PAGE_SLOTS) / PAGE_SLOTS) * PAGE_SLOTS);
    }
    for (let i = 0; i < HASH_BYTES; i++) this.hashes[slot * HASH_BYTES + i] = bytes[at + i] as number;
    this.references[slot] = 0;
    this.leases[slot] = 0;
    this.protectedUntil[slot] = 0;
    this.#insert(slot);
    this.#filled++;
    return slot;
  }

  #freeIfUnused(slot: number): void {
    if (this.states[slot] !== SlotState.Missing) return;
    if (this.references[slot] !== 0 || this.leases[slot] !== 0) return;
    this.#forget(slot);
    this.states[slot] = SlotState.Free;
    this.since[slot] = 0;
    this.#filled--;
    this.#freeSlots.push(slot);
    this.#touch(slot);
  }

  #touch(slot: number): void {
    this.dirtyPages.add(Math.floor(slot / PAGE_SLOTS));
  }

  #enlist(slot: number, now: number): void {
    this.since[slot] = now;
    this.listVersion++;
    this.unreferencedObjects++;
    this.unreferencedBytes += this.sizes[slot] as number;
    this.#link(slot);
  }

  #link(slot: number): void {
    const last = this.#previous[0] as number;
    this.#next[last] = slot;
    this.#previous[slot] = last;
    this.#next[slot] = 0;
    this.#previous[0] = slot;
  }

  #delist(slot: number): void {
    this.since[slot] = 0;
    this.listVersion++;
    this.unreferencedObjects--;
    this.unreferencedBytes -= this.sizes[slot] as number;
    const previous = this.#previous[slot] as number;
    const next = this.#next[slot] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  // The mix is seeded: nobody outside can prepare objects that fall into one bucket.
  #bucketOf(words: Uint32Array, at: number): number {
    const seed = this.#seed;
    const mixed =
      Math.imul((words[at] as number) ^ (seed[0] as number), (seed[1] as number) | 1) +
      Math.imul((words[at + 1] as number) ^ (seed[2] as number), (seed[3] as number) | 1);
    return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 4;
  }

  #equals(slot: number): boolean {
    const words = this.#words;
    const wanted = this.#wanted;
    for (let i = 0, at = slot * WORDS; i < WORDS; i++, at++) if (words[at] !== wanted[i]) return false;
    return true;
  }

  #insert(slot: number): void {
    const mask = this.#buckets.length - 1;
    let bucket = this.#bucketOf(this.#words, slot * WORDS) & mask;
    while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & mask;
    this.#buckets[bucket] = slot;
  }

  /** False if another slot has the same hash. */
  #insertOnce(slot: number): boolean {
    const words = this.#words;
    const mask = this.#buckets.length - 1;
    const from = slot * WORDS;
    let bucket = this.#bucketOf(words, from) & mask;
    for (let other = this.#buckets[bucket]; other; other = this.#buckets[bucket]) {
      let same = 0;
      while (same < WORDS && words[other * WORDS + same] === words[from + same]) same++;
      if (same === WORDS) return false;
      bucket = (bucket + 1) & mask;
    }
    this.#buckets[bucket] = slot;
    return true;
  }

  /** Takes a slot out of the hash index, closing the gap so that no markers are left behind. */
  #forget(slot: number): void {
    const mask = this.#buckets.length - 1;
    let hole = this.#bucketOf(this.#words, slot * WORDS) & mask;
    while (this.#buckets[hole] !== slot) hole = (hole + 1) & mask;
    for (let bucket = (hole + 1) & mask; ; bucket = (bucket + 1) & mask) {
      const other = this.#buckets[bucket] as number;
      if (other === 0) break;
      const home = this.#bucketOf(this.#words, other * WORDS) & mask;
      if (((bucket - home) & mask) >= ((bucket - hole) & mask)) {
        this.#buckets[hole] = other;
        hole = bucket;
      }
    }
    this.#buckets[hole] = 0;
  }

  #rehash(buckets: number): void {
    this.#buckets = new Uint32Array(buckets);
    for (let slot = 1; slot < this.#end; slot++) if (this.states[slot] !== SlotState.Free) this.#insert(slot);
  }

  #grow(slots: number): void {
    if (slots <= this.sizes.length) return;
    const grown = <T extends { set(from: T): void }>(array: T, from: T): T => {
      array.set(from);
      return array;
    };
    this.hashes = grown(new Uint8Array(slots * HASH_BYTES), this.hashes);
    this.#words = new Uint32Array(this.hashes.buffer);
    this.sizes = grown(new Float64Array(slots), this.sizes);
    this.since = grown(new Float64Array(slots), this.since);
    this.states = grown(new Uint8Array(slots), this.states);
    this.references = grown(new Uint32Array(slots), this.references);
    this.leases = grown(new Uint32Array(slots), this.leases);
    this.protectedUntil = grown(new Uint32Array(slots), this.protectedUntil);
    this.#previous = grown(new Uint32Array(slots), this.#previous);
    this.#next = grown(new Uint32Array(slots), this.#next);
  }
}
