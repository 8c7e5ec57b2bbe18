/** What is done now and then: the index written, the list for the original, the limits on unreferenced data. */

import type { DirectoryImageStore } from './image-store.ts';
import type { IndexDatabase } from './index-database.ts';
import type { DirectoryObjectStore } from './object-store.ts';
import type { Scrub } from './scrub.ts';
import { writeUnreferenced } from './unreferenced-file.ts';

const FLUSH_EVERY_MS = 1000;
/** While images are being read every page of the object table changes all the time. */
const FLUSH_AT_START_MS = 15_000;
const MINUTE_MS = 60_000;

export interface HousekeepingOptions {
  readonly objects: DirectoryObjectStore;
  readonly images: DirectoryImageStore;
  readonly index: IndexDatabase;
  readonly scrub: Scrub;
  readonly isReady: () => boolean;
  /** Unreferenced bytes kept, 0 = no limit. */
  readonly maxUnreferencedBytes: number;
  /** How long they are kept, milliseconds, 0 = no limit. */
  readonly maxUnreferencedAgeMs: number;
  /** Unreferenced bytes at which they are collected, and down to which; 0 = no limit. */
  readonly startSize: number;
  readonly stopSize: number;
}

export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #unsubscribe: () => void = () => undefined;
  #writtenVersion = -1;
  #listing: Promise<void> | undefined;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** Once the stores may be used. */
  start(): void {
    const options = this.#options;
    this.#unsubscribe = options.images.subscribe((event) => {
      if (event.kind === 'delete') this.#guard('collecting garbage', this.limit());
    });
    this.#every(FLUSH_EVERY_MS, () => {
      if (options.isReady()) this.#guard('writing the index', this.flush());
    });
    this.#every(FLUSH_AT_START_MS, () => this.#guard('writing the index', this.flush()));
    this.#every(MINUTE_MS, () => {
      this.#guard('collecting garbage', this.limit());
      this.#guard('writing the unreferenced objects', this.list());
      options.objects.leftovers.check();
      options.images.leftovers.check();
      options.scrub.tick();
    });
  }

  #every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  #guard(what: string, work: Promise<unknown>): void {
    work.catch((thrown) => this.#options.objects.options.reporter.log(`Error ${what}: ${thrown}`));
  }

  flush(): Promise<void> {
    return this.#options.index.flush(this.#options.objects.table);
  }

  /** Deletes what exceeds the limits on unreferenced data. */
  async limit(): Promise<void> {
    const { objects, maxUnreferencedBytes, maxUnreferencedAgeMs, startSize, stopSize, isReady } =
      this.#options;
    if (!isReady()) return;
    const { unreferencedBytes } = objects.totals();
    const excess = Math.max(
      maxUnreferencedBytes > 0 ? unreferencedBytes - maxUnreferencedBytes : 0,
      startSize > 0 && unreferencedBytes >= startSize ? unreferencedBytes - Math.min(stopSize, startSize) : 0,
    );
    if (excess > 0) await objects.collect((_count, bytes) => bytes < excess);
    if (maxUnreferencedAgeMs > 0) {
      const before = objects.options.now() - maxUnreferencedAgeMs;
      await objects.collect((_count, _bytes, next) => next.since < before);
    }
  }

  /** Writes the list for the original, if it has changed. */
  async list(): Promise<void> {
    const { isReady } = this.#options;
    if (!isReady()) return;
    await this.#listing;
    this.#listing = this.#list().finally(() => {
      this.#listing = undefined;
    });
    await this.#listing;
  }

  async #list(): Promise<void> {
    const { objects, images, index } = this.#options;
    const { listVersion } = objects.table;
    if (listVersion === this.#writtenVersion) return;
    const { disk, directory } = images.options;
    const stamp = await writeUnreferenced(disk, directory, images.temporaryPath(), objects.table);
    this.#writtenVersion = listVersion;
    index.setMeta('unreferenced', stamp);
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#unsubscribe();
  }
}
