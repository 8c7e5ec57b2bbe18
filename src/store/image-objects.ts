/** From the hashes in an image to slots of the object table: are all here? */
import { ImageServerError } from '../errors.ts';
import type { ImageSummary } from '../wire/encoded-image.ts';
import { HASH_BYTES, hashBytes, hashText } from './object-hash.ts';
import type { DirectoryObjectStore } from './object-store.ts';
import { examine } from './object-verify.ts';
import { eachSlot, eachSlotInTurns, packSlots } from './slot-list.ts';
import { Turn } from './turn.ts';

/** Objects looked up between two looks at the clock. */
const BATCH = 256;

/** All hashes of an image, 64 bytes each, repeated ones kept. */
function allHashes(summary: ImageSummary): Uint8Array {
  if (summary.annotations.length === 0) return summary.hashes;
  return Buffer.concat([summary.hashes, ...summary.annotations.map((hash) => hashBytes(hash))]);
}

const expectedSize = (summary: ImageSummary, index: number) => summary.sizes[index] ?? 0;

/** True if the image gives an object another size than its file has: one of the two is wrong. */
function isOdd(store: DirectoryObjectStore, summary: ImageSummary, index: number, slot: number): boolean {
  return index < summary.sizes.length && summary.sizes[index] !== store.table.sizes[slot];
}

/** True if an object's file is not what its hash says; it is quarantined then. */
async function isDamaged(store: DirectoryObjectStore, slot: number): Promise<boolean> {
  const hash = hashText(store.table.hashes, slot * HASH_BYTES);
  const found = await examine(store.pathOf(hash));
  if (found.hash === hash) return false;
  if (!store.table.isPresent(slot)) return true;
  return store.quarantine(slot, `length is ${found.size}, contents are not its own`, found.inode);
}

/**
 * Refers to every object of an image that is about to be added. Throws OBJECTS_MISSING, counting every occurrence, and
 * then refers to none.
 */
export async function referToPresent(
  store: DirectoryObjectStore,
  summary: ImageSummary,
): Promise<Uint8Array> {
  const hashes = allHashes(summary);
  const slots = new Uint32Array(hashes.length / 64);
  const turn = new Turn();
  let missing = 0;
  let first = '';
  let count = 0;
  const odd = new Set<number>();
  try {
    for (; count < slots.length; count++) {
      const slot = store.locate(hashes, count * 64);
      slots[count] = slot;
      // Held until it is referred to: collection may run between two slices.
      if (slot !== 0) store.lease(slot);
      else if (missing++ === 0) first = hashText(hashes, count * 64);
      if (slot !== 0 && isOdd(store, summary, count, slot)) odd.add(slot);
      if (count % BATCH === 0 && turn.over()) await turn.next();
    }
    for (const slot of odd) {
      if (!(await isDamaged(store, slot))) continue;
      if (missing++ === 0) first = hashText(store.table.hashes, slot * HASH_BYTES);
    }
    if (missing > 0)
      throw new ImageServerError(
        'OBJECTS_MISSING',
        missing === 1 ? `object: ${first} is not available` : `${missing} objects are not available`,
      );
    const packed = packSlots(slots);
    await eachSlotInTurns(packed, turn, (slot) => store.table.reference(slot));
    return packed;
  } finally {
    await releaseAll(store, slots.subarray(0, count), turn);
  }
}

async function releaseAll(store: DirectoryObjectStore, slots: Uint32Array, turn: Turn): Promise<void> {
  for (let index = 0; index < slots.length; index++) {
    const slot = slots[index] as number;
    if (slot !== 0) store.table.release(slot, 0);
    if (index % BATCH === 0 && turn.over()) await turn.next();
  }
}

/** Refers to every object of an image found on disk, present or not; `missing` counts those that are not here. */
export async function referToAll(
  store: DirectoryObjectStore,
  summary: ImageSummary,
): Promise<{ slots: Uint8Array; missing: number; first: string }> {
  const { table } = store;
  const hashes = allHashes(summary);
  const slots = new Uint32Array(hashes.length / 64);
  const referred = new SlotSet(table.end);
  const turn = new Turn();
  const odd = new Set<number>();
  let missing = 0;
  let first = '';
  let count = 0;
  try {
    for (; count < slots.length; count++) {
      if (count % BATCH === 0 && turn.over()) await turn.next();
      let slot = store.locate(hashes, count * 64);
      if (slot === 0) {
        if (missing++ === 0) first = hashText(hashes, count * 64);
        slot = table.addMissing(hashes, count * 64, expectedSize(summary, count));
      }
      slots[count] = slot;
      // At once: nothing that is referred to goes away between two slices.
      if (referred.add(slot)) table.reference(slot);
      if (table.isPresent(slot) && isOdd(store, summary, count, slot)) odd.add(slot);
    }
    for (const slot of odd) {
      if (!(await isDamaged(store, slot))) continue;
      if (missing++ === 0) first = hashText(table.hashes, slot * HASH_BYTES);
      table.resize(slot, expectedSize(summary, slots.indexOf(slot)));
    }
    return { slots: packSlots(slots), missing, first };
  } catch (thrown) {
    dropReferences(store, packSlots(slots.subarray(0, count)));
    throw thrown;
  }
}

/** Slots, each once; the table may grow meanwhile. */
class SlotSet {
  #has: Uint8Array;

  constructor(end: number) {
    this.#has = new Uint8Array(end);
  }
  /** False if it was there. */
  add(slot: number): boolean {
    if (slot >= this.#has.length) {
      const grown = new Uint8Array(slot * 2);
      grown.set(this.#has);
      this.#has = grown;
    }
    if (this.#has[slot] === 1) return false;
    this.#has[slot] = 1;
    return true;
  }
}

export function dropReferences(store: DirectoryObjectStore, slots: Uint8Array): void {
  const now = store.options.now();
  eachSlot(slots, (slot) => store.table.unreference(slot, now));
}
