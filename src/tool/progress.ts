/** A bar on the terminal for long work; nothing at all when stderr is not one. */
import { formatBytes } from '../image/format.ts';

const WIDTH = 30;
const EVERY_MS = 100;

export class Progress {
  #done = 0;
  #last = 0;
  #shown = false;
  readonly #terminal = process.stderr.isTTY === true;

  /** `total` in bytes; 0 if not known. */
  constructor(
    readonly what: string,
    public total = 0,
  ) {}

  add(bytes: number): void {
    this.#done += bytes;
    const now = performance.now();
    if (!this.#terminal || now - this.#last < EVERY_MS) return;
    this.#last = now;
    this.#shown = true;
    const part = this.total ? Math.min(1, this.#done / this.total) : 0;
    const bar = this.total
      ? ` [${'#'.repeat(Math.round(part * WIDTH)).padEnd(WIDTH)}] ${Math.round(part * 100)} %`
      : '';
    process.stderr.write(`\r${this.what}${bar} ${formatBytes(this.#done)}\x1b[K`);
  }
  end(): void {
    if (this.#shown) process.stderr.write('\r\x1b[K');
  }
}
