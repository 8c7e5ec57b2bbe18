/** Deletions that the guard held back, until somebody decides or the images reappear on the master. */
import type { ImageStore } from '../store/types.ts';

export interface HeldDeletion {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string;
}

export class HeldDeletions {
  readonly #held = new Map<string, HeldDeletion>();
  readonly #images: ImageStore;

  constructor(images: ImageStore) {
    this.#images = images;
  }

  /** Those whose images are still here. */
  list(): HeldDeletion[] {
    for (const name of this.#held.keys()) if (!this.#images.has(name)) this.#held.delete(name);
    return [...this.#held.values()];
  }

  hold(name: string, reason: string, now: number): void {
    if (!this.#held.has(name)) this.#held.set(name, { name, since: now, reason });
  }

  /** The image is on the master after all, or is gone here. */
  drop(name: string): void {
    this.#held.delete(name);
  }

  /** After a complete list: what was held before counts only if the list lacks it still. */
  keepOnly(missing: ReadonlySet<string>): void {
    for (const name of this.#held.keys()) if (!missing.has(name)) this.#held.delete(name);
  }

  /** Takes `names` (all, if undefined) off the list; they are to be deleted now. */
  release(names?: readonly string[]): string[] {
    const wanted = names && new Set(names);
    const released = this.list()
      .map(({ name }) => name)
      .filter((name) => !wanted || wanted.has(name));
    for (const name of released) this.#held.delete(name);
    return released;
  }
}
