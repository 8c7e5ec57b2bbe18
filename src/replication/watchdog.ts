/** Ends what makes no progress: a connection whose peer has vanished without a word would wait for ever. */

export class Watchdog {
  readonly #limitMs: number;
  readonly #bark: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(limitMs: number, bark: () => void) {
    this.#limitMs = limitMs;
    this.#bark = bark;
    this.progress();
  }

  /** Something happened: the time begins anew. */
  progress(): void {
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(this.#bark, this.#limitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
