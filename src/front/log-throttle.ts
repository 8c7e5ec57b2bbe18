/** Lines that strangers can cause: some are written, the rest is counted, so that nobody can flood the log. */

const WINDOW_MS = 1000;
const LINES_A_WINDOW = 20;

export class LogThrottle {
  readonly #log: (line: string) => void;
  #since = 0;
  #lines = 0;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  write(line: string): void {
    const now = performance.now();
    if (now - this.#since >= WINDOW_MS) {
      const left = this.#lines - LINES_A_WINDOW;
      if (left > 0) this.#log(`${left} more lines about refused connections`);
      this.#since = now;
      this.#lines = 0;
    }
    if (++this.#lines <= LINES_A_WINDOW) this.#log(line);
  }
}
