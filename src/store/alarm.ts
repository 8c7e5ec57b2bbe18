/**
 * One timer for any number of deadlines. They are times of the clock on the wall, which may jump, and a timer stands
 * still while the machine sleeps: the clock is looked at every second while there are deadlines.
 */

/** Longest time the timer sleeps, milliseconds. */
const MAX_SLEEP_MS = 1000;

/** Stale entries kept beyond the number of those that count. */
const MOST_STALE = 1000;

interface Deadline {
  readonly at: number;
  readonly key: string;
}

export class Alarm {
  readonly #now: () => number;
  readonly #ring: (key: string) => void;
  /** Binary heap; entries that `#current` does not confirm are stale. */
  readonly #heap: Deadline[] = [];
  readonly #current = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #held = false;

  /** `ring` is called once for each key whose time has come. */
  constructor(now: () => number, ring: (key: string) => void) {
    this.#now = now;
    this.#ring = ring;
  }

  /** `at`: milliseconds since the epoch; undefined = no deadline (any more). */
  set(key: string, at: number | undefined): void {
    if (at === undefined) {
      this.#current.delete(key);
      return;
    }
    this.#current.set(key, at);
    if (this.#heap.length > 2 * this.#current.size + MOST_STALE) this.#clear();
    else this.#push({ at, key });
    this.#arm();
  }

  /** Nothing rings until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#arm();
  }

  /** Rings what is due; called by the timer, and by tests that move the clock. */
  check(): void {
    const now = this.#now();
    for (let first = this.#heap[0]; first && first.at <= now; first = this.#heap[0]) {
      this.#pop();
      if (this.#current.get(first.key) !== first.at) continue;
      this.#current.delete(first.key);
      this.#ring(first.key);
    }
    this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#current.clear();
    this.#heap.length = 0;
  }

  /** Leaves out what is stale: deadlines that were moved many times. */
  #clear(): void {
    this.#heap.length = 0;
    for (const [key, at] of this.#current) this.#push({ at, key });
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const first = this.#heap[0];
    if (!first || this.#held) return;
    const sleep = Math.min(Math.max(first.at - this.#now(), 0), MAX_SLEEP_MS);
    this.#timer = setTimeout(() => this.check(), sleep);
    this.#timer.unref();
  }

  #push(entry: Deadline): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as Deadline).at <= entry.at) break;
      heap[at] = heap[parent] as Deadline;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Deadline;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Deadline).at < (heap[child] as Deadline).at) child++;
      if ((heap[child] as Deadline).at >= last.at) break;
      heap[at] = heap[child] as Deadline;
      at = child;
    }
    heap[at] = last;
  }
}
