/** Work that many peers can ask for at once is begun a few pieces at a time, so that others are served in between. */

const PIECES_A_TURN = 8;

export class Turns {
  readonly #waiting: (() => void)[] = [];
  #running = false;

  /** Resolves when it is this caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#running) return;
      this.#running = true;
      this.#run();
    });
  }

  #run(): void {
    for (const begin of this.#waiting.splice(0, PIECES_A_TURN)) begin();
    if (this.#waiting.length === 0) this.#running = false;
    else setImmediate(() => this.#run());
  }
}
