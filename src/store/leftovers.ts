/** Files ending in `~` that another server has left half-written: removed when they are old enough. */
import { type Disk, errno } from './disk.ts';
import type { Reporter } from './reporter.ts';

/** Younger ones may still be written to, milliseconds. */
const LEFTOVER_MS = 3_600_000;

export interface LeftoversOptions {
  readonly disk: Disk;
  readonly reporter: Reporter;
  readonly now: () => number;
}

export class Leftovers {
  readonly #options: LeftoversOptions;
  /** Path → when it may go, milliseconds since the epoch. */
  readonly #waiting = new Map<string, number>();

  constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  /** One was found; `mtimeMs`: when it was last written to. */
  take(path: string, mtimeMs: number): void {
    const due = mtimeMs + LEFTOVER_MS;
    if (due < this.#options.now()) this.#remove(path);
    else this.#waiting.set(path, due);
  }

  /** Removes those whose time has come; called now and then. */
  check(): void {
    const now = this.#options.now();
    for (const [path, due] of this.#waiting) {
      if (due >= now) continue;
      this.#waiting.delete(path);
      this.#remove(path);
    }
  }

  /** Its removal need not be durable: if it comes back it is found again. */
  #remove(path: string): void {
    const { disk, reporter } = this.#options;
    try {
      disk.unlink(path);
    } catch (thrown) {
      if (errno(thrown) !== 'ENOENT')
        reporter.log(`Cannot remove a left-over file: ${path}: ${errno(thrown)}`);
    }
  }
}
