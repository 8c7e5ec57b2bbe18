/** The objects of an image as a compact list: slot numbers in rising order, each once, as differences in 7-bit groups. */
import type { Turn } from './turn.ts';

export function packSlots(slots: Uint32Array): Uint8Array {
  const sorted = slots.slice().sort();
  let size = 0;
  const out = new Uint8Array(sorted.length * 5);
  let previous = 0;
  for (const slot of sorted) {
    if (slot === previous) continue;
    let difference = slot - previous;
    previous = slot;
    while (difference >= 0x80) {
      out[size++] = (difference & 0x7f) | 0x80;
      difference >>>= 7;
    }
    out[size++] = difference;
  }
  return out.slice(0, size);
}

/** Writes the slots of a list into `slots`, which has room for as many as the list has bytes; how many there are. */
export function unpackSlots(packed: Uint8Array, slots: Uint32Array): number {
  const { length } = packed;
  let count = 0;
  let slot = 0;
  for (let at = 0; at < length; ) {
    let byte = packed[at++] as number;
    let difference = byte & 0x7f;
    for (let shift = 7; byte >= 0x80 && at < length; shift += 7) {
      byte = packed[at++] as number;
      difference |= (byte & 0x7f) << shift;
    }
    slot += difference >>> 0;
    slots[count++] = slot;
  }
  return count;
}

/** Bytes of a list gone through between two looks at the clock. */
const BATCH_BYTES = 1024;

/** Calls `visit` for each slot; stops and answers false when that answers false. */
export function eachSlot(packed: Uint8Array, visit: (slot: number) => unknown): boolean {
  return visitFrom(packed, 0, 0, packed.length, visit) !== undefined;
}

/** Calls `visit` for each slot, in slices. */
export async function eachSlotInTurns(
  packed: Uint8Array,
  turn: Turn,
  visit: (slot: number) => void,
): Promise<void> {
  let place: Place | undefined = { at: 0, slot: 0 };
  while (place && place.at < packed.length) {
    place = visitFrom(packed, place.at, place.slot, place.at + BATCH_BYTES, (slot) => {
      visit(slot);
    });
    if (turn.over()) await turn.next();
  }
}

interface Place {
  readonly at: number;
  readonly slot: number;
}

/** Goes on at `at`, after `slot`, until it is past `end`; where it stopped, undefined if `visit` has answered false. */
function visitFrom(
  packed: Uint8Array,
  at: number,
  slot: number,
  end: number,
  visit: (slot: number) => unknown,
): Place | undefined {
  while (at < Math.min(end, packed.length)) {
    let difference = 0;
    let shift = 0;
    for (;;) {
      const byte = packed[at++] as number;
      difference |= (byte & 0x7f) << shift;
      if (byte < 0x80 || at >= packed.length) break;
      shift += 7;
    }
    slot += difference >>> 0;
    if (visit(slot) === false) return undefined;
  }
  return { at, slot };
}
