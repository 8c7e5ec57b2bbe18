/** Putting many slots in order without keeping others waiting: runs are sorted, then merged, in slices. */
import { Turn } from './turn.ts';

/** Slots sorted in one go. */
const RUN = 2048;
/** Slots merged between two looks at the clock. */
const BATCH = 2048;

/** The slots by rising `keys[slot]`, those of equal keys as they were. `slots` and `keys` must stay as they are meanwhile. */
export async function sortSlots(slots: Uint32Array, keys: Float64Array): Promise<Uint32Array> {
  const turn = new Turn();
  const keyOf = (list: Uint32Array, at: number) => keys[list[at] as number] as number;
  let from = slots.slice();
  for (let at = 0; at < from.length; at += RUN) {
    from.subarray(at, at + RUN).sort((a, b) => (keys[a] as number) - (keys[b] as number));
    if (turn.over()) await turn.next();
  }
  let to = new Uint32Array(from.length);
  for (let width = RUN; width < from.length; width *= 2) {
    for (let start = 0; start < from.length; start += 2 * width) {
      const middle = Math.min(start + width, from.length);
      const end = Math.min(middle + width, from.length);
      let left = start;
      let right = middle;
      for (let at = start; at < end; at++) {
        const takeLeft = left < middle && (right === end || keyOf(from, left) <= keyOf(from, right));
        to[at] = from[takeLeft ? left++ : right++] as number;
        if (at % BATCH === 0 && turn.over()) await turn.next();
      }
    }
    [from, to] = [to, from];
  }
  return from;
}
