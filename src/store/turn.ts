/** Cutting long work into slices, so that nothing else waits more than a few milliseconds for it. */

/** Longest slice, milliseconds. */
const SLICE_MS = 1.5;

export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** `if (turn.over()) await turn.next();` in a loop. */
export class Turn {
  #start = performance.now();

  over(): boolean {
    return performance.now() - this.#start > SLICE_MS;
  }

  async next(): Promise<void> {
    await breathe();
    this.#start = performance.now();
  }
}
