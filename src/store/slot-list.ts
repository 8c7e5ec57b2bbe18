/** The objects of an image as a compact list: slot numbers in rising order, each once, as differences in 7-bit groups. */

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

/** Calls `visit` for each slot; stops and answers false when that answers false. */
export function eachSlot(packed: Uint8Array, visit: (slot: number) => unknown): boolean {
  let slot = 0;
  for (let at = 0; at < packed.length; ) {
    let difference = 0;
    let shift = 0;
    for (;;) {
      const byte = packed[at++] as number;
      difference |= (byte & 0x7f) << shift;
      if (byte < 0x80 || at >= packed.length) break;
      shift += 7;
    }
    slot += difference >>> 0;
    if (visit(slot) === false) return false;
  }
  return true;
}
