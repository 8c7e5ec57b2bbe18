/**
 * Lines on their way to a file: they wait in a bounded queue for the disk and go out together. What cannot be written is
 * counted and reported; it never holds anybody up.
 */
export interface LineQueueOptions {
  /** For complaints, e.g. `AUDIT LOG`. */
  readonly name: string;
  /** Appends whole lines; resolves when they are with the system. */
  readonly write: (lines: string) => Promise<void>;
  readonly log: (line: string) => void;
  readonly now?: () => number;
  /** Lines that may wait for the disk. */
  readonly maxWaiting?: number;
}

const MAX_WAITING = 10_000;
/** Complaints, milliseconds. */
const COMPLAINT_INTERVAL_MS = 60_000;

export class LineQueue {
  readonly #options: LineQueueOptions;
  readonly #now: () => number;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #lost = 0;
  #written = 0;
  #complained = Number.NEGATIVE_INFINITY;

  constructor(options: LineQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Lines written and lost since the start. */
  counts(): { readonly written: number; readonly lost: number } {
    return { written: this.#written, lost: this.#lost };
  }

  /** `line` without its end. Never throws. */
  add(line: string): void {
    if (this.#waiting.length >= (this.#options.maxWaiting ?? MAX_WAITING)) {
      this.#lose(1, 'too many lines are waiting for the disk');
      return;
    }
    this.#waiting.push(line);
    this.#writing ??= this.#write();
  }

  /** Resolves when everything said so far was written or lost. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #write(): Promise<void> {
    // Lines of one turn go out together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        await this.#options.write(`${lines.join('\n')}\n`);
        this.#written += lines.length;
      } catch (error) {
        this.#lose(lines.length, (error as Error).message);
      }
    }
    this.#writing = undefined;
  }

  #lose(count: number, reason: string): void {
    this.#lost += count;
    const now = this.#now();
    if (now - this.#complained < COMPLAINT_INTERVAL_MS) return;
    this.#complained = now;
    this.#options.log(`${this.#options.name}: ${this.#lost} lines lost so far: ${reason}`);
  }
}
