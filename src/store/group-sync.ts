/**
 * Makes files and directories durable for many callers at once: a few are synced one by one, which waits for nobody
 * else's data; what comes while those are under way waits for its turn and shares one sync of the file system.
 */
import type { SharedSync } from './shared-sync.ts';

/** Syncs under way at the same time, and the largest group that is synced one by one. */
const FEW = 4;

interface Waiting {
  readonly alone: () => Promise<void>;
  resolve(): void;
  reject(failure: unknown): void;
}

export class GroupSync {
  readonly #shared: SharedSync;
  #running = 0;
  #waiting: Waiting[] = [];

  constructor(shared: SharedSync) {
    this.#shared = shared;
  }

  /** `alone` syncs what the caller wants on its own. What was written before the call is durable when it resolves. */
  sync(alone: () => Promise<void>): Promise<void> {
    if (this.#running < FEW) return this.#count(alone);
    return new Promise((resolve, reject) => this.#waiting.push({ alone, resolve, reject }));
  }

  async #count(work: () => Promise<void>): Promise<void> {
    this.#running++;
    try {
      await work();
    } finally {
      this.#running--;
      this.#next();
    }
  }

  #next(): void {
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length <= FEW) for (const one of group) this.#oneByOne([one]);
    else void this.#count(() => this.#together(group));
  }

  async #together(group: readonly Waiting[]): Promise<void> {
    let whole: boolean;
    try {
      whole = await this.#shared.sync();
    } catch (failure) {
      for (const { reject } of group) reject(failure);
      return;
    }
    if (whole) for (const { resolve } of group) resolve();
    else this.#oneByOne(group);
  }

  #oneByOne(group: readonly Waiting[]): void {
    for (const { alone, resolve, reject } of group) void this.#count(alone).then(resolve, reject);
  }
}
