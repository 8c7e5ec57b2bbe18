/** Lines that strangers can cause: some are written, the rest is counted, so that nobody can flood the log. */

const WINDOW_MS = 1000;
const LINES_A_WINDOW = 20;

export class LogThrottle {
  readonly #log: (line: string) => void;
  readonly #about: string;
  #lines = 0;
  #window: NodeJS.Timeout | undefined;

  /** `about`: what the lines are about, for the count of those that were left out. */
  constructor(log: (line: string) => void, about: string) {
    this.#log = log;
    this.#about = about;
  }

  write(line: string): void {
    this.#window ??= setTimeout(() => this.#end(), WINDOW_MS).unref();
    if (++this.#lines <= LINES_A_WINDOW) this.#log(line);
  }

  #end(): void {
    const left = this.#lines - LINES_A_WINDOW;
    this.#lines = 0;
    this.#window = undefined;
    if (left > 0) this.#log(`${left} more lines about ${this.#about}`);
  }
}
