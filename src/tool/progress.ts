/** One line on the terminal for long work; nothing at all when stderr is not one. */
import { formatBytes } from '../image/format.ts';
import type { ToolIo } from './io.ts';

const WIDTH = 24;
const EVERY_MS = 100;

/** One kind of work: what is done, of how much. */
export interface Task {
  add(bytes: number): void;
  /** Bytes in all, if they become known. */
  total(bytes: number): void;
  end(): void;
}

interface Part {
  readonly what: string;
  done: number;
  total: number;
}

/** Several kinds of work may be under way; they share the line. */
export class Progress {
  readonly #parts: Part[] = [];
  #last = 0;
  #shown = false;

  constructor(readonly io: ToolIo) {}

  /** `total` in bytes; 0 if not known. */
  start(what: string, total = 0): Task {
    const part: Part = { what, done: 0, total };
    this.#parts.push(part);
    return {
      add: (bytes) => {
        part.done += bytes;
        this.#show();
      },
      total: (bytes) => {
        part.total = bytes;
      },
      end: () => {
        const index = this.#parts.indexOf(part);
        if (index >= 0) this.#parts.splice(index, 1);
        if (this.#parts.length === 0) this.clear();
      },
    };
  }

  #show(): void {
    if (!this.io.terminal) return;
    const now = performance.now();
    if (now - this.#last < EVERY_MS) return;
    this.#last = now;
    this.#shown = true;
    this.io.status(`\r${this.#parts.map(partText).join('  ')}\x1b[K`);
  }
  /** Takes the line away, so that something else can be written. */
  clear(): void {
    if (this.#shown) this.io.status('\r\x1b[K');
    this.#shown = false;
  }
}

function partText({ what, done, total }: Part): string {
  if (total === 0) return `${what} ${formatBytes(done)}`;
  const share = Math.min(1, done / total);
  const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH);
  return `${what} [${bar}] ${Math.floor(share * 100)} % of ${formatBytes(total)}`;
}
