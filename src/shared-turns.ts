/**
 * Work that many peers can ask for at once shares one budget of each turn of the event loop, so that others are served in
 * between, however many ask.
 */

/** Milliseconds of each turn of the event loop. */
const BUDGET_MS = 2;

export class SharedTurns {
  #waiting: (() => void)[] = [];
  #running = false;

  /**
   * Resolves when it is this caller's turn. What follows, up to its next wait for something outside, should take no more
   * than a millisecond.
   */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#running) return;
      this.#running = true;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const until = performance.now() + BUDGET_MS;
      const now = this.#waiting;
      this.#waiting = [];
      let begun = 0;
      do {
        now[begun++]?.();
        // Ticks come after all microtasks: by then this one has done its work.
        await new Promise<void>((resolve) => process.nextTick(resolve));
      } while (begun < now.length && performance.now() < until);
      // Whoever waited longest is first in the next turn.
      this.#waiting = [...now.slice(begun), ...this.#waiting];
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#running = false;
  }
}

/** Of live streams, over all transports. */
export const streamTurns = new SharedTurns();

/** Of new connections that say what they are: a thousand peers that come at once hold up nobody who is here already. */
export const arrivals = new SharedTurns();
