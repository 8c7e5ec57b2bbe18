/**
 * Room for what is coming: before an object is written its announced size is counted against the limits, and garbage
 * is collected or the upload refused in time, before the disk is full to the brim.
 */
import { ImageServerError } from '../errors.ts';
import type { Space } from './disk.ts';
import type { CollectResult, UnreferencedEntry } from './types.ts';

export interface SpacePolicy {
  /** Uploads are refused rather than leave less than this free, bytes. */
  readonly minFreeBytes: number;
  /** Used share of the file system at which unreferenced objects are collected, and down to which, percent. */
  readonly startPercent: number;
  readonly stopPercent: number;
  /** Unreferenced bytes at which they are collected, and down to which; 0 = off. */
  readonly startSize: number;
  readonly stopSize: number;
}

export interface SpaceSource {
  space(): Space;
  totals(): { readonly unreferencedBytes: number };
  collect(wanted: (count: number, bytes: number, next: UnreferencedEntry) => boolean): Promise<CollectResult>;
}

/** The file system is asked again after this time or when this much was written, whichever comes first. */
const FRESH_MS = 200;
const FRESH_BYTES = 16 * 1024 * 1024;
/** Share-driven collections start at most this often, milliseconds. */
const COLLECT_EVERY_MS = 1000;

/** Of an object whose length nobody told, so much is announced at a time. */
const STEP_BYTES = 16 * 1024 * 1024;

/** Clamped as the original does: 1 to 99, stop below start. */
function clampPercents(start: number, stop: number): { start: number; stop: number } {
  const within = (value: number) => Math.min(99, Math.max(1, Math.trunc(value)));
  const from = within(start);
  const to = within(stop);
  return { start: from, stop: to >= from ? from - 1 : to };
}

export class SpaceGuard {
  readonly policy: SpacePolicy;
  readonly #now: () => number;
  #source: SpaceSource | undefined;
  #space: Space = { capacity: 0, free: 0 };
  #askedAt = Number.NEGATIVE_INFINITY;
  #writtenSince = 0;
  #announced = 0;
  #collectedAt = Number.NEGATIVE_INFINITY;

  constructor(policy: SpacePolicy, now: () => number) {
    this.policy = policy;
    this.#now = now;
  }

  watch(source: SpaceSource): void {
    this.#source = source;
  }

  /** Bytes announced and not yet written. */
  get announced(): number {
    return this.#announced;
  }

  /** Called at once if there is room; a promise only if something must be collected. Throws NO_SPACE. */
  reserve(length: number): undefined | Promise<void> {
    this.#announced += length;
    try {
      const needed = this.#excess();
      if (needed.byShare <= 0 && needed.byFree <= 0) return undefined;
      return this.#makeRoom(length, needed.byFree);
    } catch (thrown) {
      this.#announced -= length;
      throw thrown;
    }
  }

  /** The announced bytes were written or will not come. */
  done(length: number): void {
    this.#announced -= length;
    this.#writtenSince += length;
  }

  #current(): Space {
    const now = this.#now();
    if (Math.abs(now - this.#askedAt) >= FRESH_MS || this.#writtenSince >= FRESH_BYTES) {
      this.#space = (this.#source as SpaceSource).space();
      this.#askedAt = now;
      this.#writtenSince = 0;
    }
    return this.#space;
  }

  /** Bytes to collect so that what is announced fits: by share of the file system, and by the free bytes wanted. */
  #excess(): { byShare: number; byFree: number } {
    const { startPercent, stopPercent, startSize, stopSize, minFreeBytes } = this.policy;
    const { start, stop } = clampPercents(startPercent, stopPercent);
    const { capacity, free } = this.#current();
    const left = free - this.#writtenSince - this.#announced;
    const used = capacity > 0 ? Math.trunc(((capacity - left) * 100) / capacity) : 0;
    let byShare = used >= start ? Math.ceil(((used - stop) * capacity) / 100) : 0;
    const unreferenced = (this.#source as SpaceSource).totals().unreferencedBytes + this.#announced;
    if (startSize > 0 && unreferenced >= startSize)
      byShare = Math.max(byShare, unreferenced - this.#announced - Math.min(stopSize, startSize));
    return { byShare, byFree: minFreeBytes - left };
  }

  async #makeRoom(length: number, byFree: number): Promise<void> {
    const source = this.#source as SpaceSource;
    try {
      const now = this.#now();
      if (byFree > 0 || Math.abs(now - this.#collectedAt) >= COLLECT_EVERY_MS) {
        this.#collectedAt = now;
        const excess = this.#excess();
        const wanted = Math.max(excess.byShare, excess.byFree);
        if (wanted > 0 && source.totals().unreferencedBytes > 0)
          await source.collect((_count, bytes) => bytes < wanted);
        this.#askedAt = Number.NEGATIVE_INFINITY;
      }
      if (this.#excess().byFree > 0) throw new ImageServerError('NO_SPACE', 'no space left on device');
    } catch (thrown) {
      this.#announced -= length;
      throw thrown;
    }
  }
}

/** Room for one object: for all of it at once if its length is known, else step by step as it comes. */
export class Room {
  readonly #guard: SpaceGuard;
  /** Announced and not yet written. */
  #left = 0;

  constructor(guard: SpaceGuard) {
    this.#guard = guard;
  }

  /** Before anything is read; a promise only if something must be collected. Throws NO_SPACE. */
  announce(length: number | undefined): undefined | Promise<void> {
    return this.#announce(length ?? STEP_BYTES);
  }

  /** Before so many bytes are written. Throws NO_SPACE. */
  need(bytes: number): undefined | Promise<void> {
    return bytes <= this.#left ? undefined : this.#announce(Math.max(bytes, STEP_BYTES));
  }

  #announce(bytes: number): undefined | Promise<void> {
    const announced = this.#guard.reserve(bytes);
    if (announced)
      return announced.then(() => {
        this.#left += bytes;
      });
    this.#left += bytes;
    return undefined;
  }

  /** What is written is no longer announced: the file system knows of it. */
  written(bytes: number): void {
    this.#left -= bytes;
    this.#guard.done(bytes);
  }

  /** The rest will not come. */
  end(): void {
    this.#guard.done(this.#left);
    this.#left = 0;
  }
}
