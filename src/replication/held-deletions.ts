/** Deletions that the guard held back, until somebody decides or the images reappear on the master. */
import { ImageServerError } from '../errors.ts';
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

  /** Of `names` (all, if undefined), those to delete now; throws if a deletion is not held. Each is to be dropped then. */
  chosen(names?: readonly string[]): string[] {
    const held = this.list().map(({ name }) => name);
    if (!names) return held;
    const known = new Set(held);
    const unknown = names.find((name) => !known.has(name));
    if (unknown !== undefined)
      throw new ImageServerError('IMAGE_NOT_FOUND', `no deletion is held back of: ${unknown}`);
    return [...new Set(names)];
  }
}
