/**
 * The scrub: reads every object and image again at a bounded rate and compares it with its hash. What fails is
 * quarantined and reported.
 */
import { ImageServerError } from '../errors.ts';
import { sha512 } from './checksummed-file.ts';
import { errno, isUnreadable } from './disk.ts';
import { readVerified } from './image-reader.ts';
import type { DirectoryImageStore } from './image-store.ts';
import { HASH_BYTES, hashText } from './object-hash.ts';
import type { DirectoryObjectStore } from './object-store.ts';
import { type Examined, examine } from './object-verify.ts';
import { Turn } from './turn.ts';
import type { ScrubProgress } from './types.ts';

const DAY_MS = 86_400_000;
/** What opening an object counts for beside its bytes: small ones are not read by the thousand at once. */
const OPENING_BYTES = 32 * 1024;

export interface ScrubOptions {
  readonly objects: DirectoryObjectStore;
  readonly images: DirectoryImageStore;
  readonly now: () => number;
  /** 0 = never in the background. */
  readonly bytesPerSecond: number;
  /** From the end of one scrub to the start of the next, milliseconds. */
  readonly intervalMs: number;
  /** Kept over restarts. */
  readonly load: (key: string) => string | undefined;
  readonly save: (key: string, value: string) => void;
}

export class Scrub {
  readonly #options: ScrubOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #bytesPerSecond: number;
  #ahead = 0;
  #lastPause = performance.now();
  #slot: number;
  #startedAt = 0;
  #checkedObjects = 0;
  #checkedBytes = 0;
  #failures = 0;

  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#bytesPerSecond = options.bytesPerSecond;
    this.#slot = Number(options.load('scrub.slot') ?? 1);
  }

  progress(): ScrubProgress {
    const { load, objects } = this.#options;
    return {
      running: this.#running !== undefined,
      startedAt: this.#startedAt,
      checkedObjects: this.#checkedObjects,
      checkedBytes: this.#checkedBytes,
      objects: objects.table.objects,
      failures: this.#failures,
      lastCompletedAt: Number(load('scrub.completed') ?? 0),
    };
  }

  /** Starts a scrub if it is time for one; called now and then. */
  tick(): void {
    const { now, load, intervalMs } = this.#options;
    if (this.#running || this.#bytesPerSecond <= 0 || this.#stop.signal.aborted) return;
    if (this.#slot === 1 && now() - Number(load('scrub.completed') ?? 0) < intervalMs) return;
    this.run().catch((thrown) => this.#options.objects.options.reporter.log(`The scrub stopped: ${thrown}`));
  }

  /** Checks everything once, going on where an interrupted one stopped. `bytesPerSecond`: 0 = as fast as it goes. */
  run(bytesPerSecond = this.#bytesPerSecond): Promise<void> {
    this.#bytesPerSecond = bytesPerSecond;
    this.#running ??= this.#all().finally(() => {
      this.#running = undefined;
      this.#bytesPerSecond = this.#options.bytesPerSecond;
    });
    return this.#running;
  }

  /** Checks everything, as fast as it goes, wherever an interrupted one stopped. */
  runWhole(): Promise<void> {
    if (!this.#running) this.#slot = 1;
    return this.run(0);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #all(): Promise<void> {
    const { objects, images, now, save } = this.#options;
    const { table } = objects;
    const { signal } = this.#stop;
    this.#startedAt = now();
    this.#checkedObjects = 0;
    this.#checkedBytes = 0;
    this.#failures = 0;
    const turn = new Turn();
    for (; this.#slot < table.end; this.#slot++) {
      if (signal.aborted) {
        save('scrub.slot', String(this.#slot));
        return;
      }
      if (turn.over()) await turn.next();
      if (!table.isPresent(this.#slot)) continue;
      const pause = this.#pace(OPENING_BYTES);
      if (pause) await pause;
      await this.#object(this.#slot);
    }
    for (const name of [...images.names()]) {
      if (signal.aborted) break;
      await this.#image(name);
    }
    if (signal.aborted) return;
    this.#slot = 1;
    save('scrub.slot', '1');
    save('scrub.completed', String(Math.max(now(), DAY_MS)));
  }

  async #object(slot: number): Promise<void> {
    const { objects } = this.#options;
    const { table } = objects;
    const hash = hashText(table.hashes, slot * HASH_BYTES);
    const size = table.sizes[slot];
    const path = objects.pathOf(hash);
    let found: Examined;
    try {
      found = await examine(path, (bytes) => {
        this.#checkedBytes += bytes;
        return this.#pace(bytes);
      });
      if (found.hash !== hash || found.size !== size) found = await examine(path);
    } catch (thrown) {
      this.#unreadable(slot, hash, thrown);
      return;
    }
    this.#checkedObjects++;
    if (found.hash === hash && found.size === size) return;
    if (!this.#isStill(slot, hash)) return;
    if (found.inode === undefined) objects.lost(slot, 'file is gone');
    else if (!objects.quarantine(slot, 'contents do not match its hash', found.inode)) return;
    this.#failures++;
  }

  /** Collected or healed while it was read? */
  #isStill(slot: number, hash: string): boolean {
    const { table } = this.#options.objects;
    return table.isPresent(slot) && hashText(table.hashes, slot * HASH_BYTES) === hash;
  }

  #unreadable(slot: number, hash: string, thrown: unknown): void {
    const { objects } = this.#options;
    const reason = `cannot read: ${errno(thrown) || 'error'}`;
    if (!isUnreadable(thrown)) {
      objects.options.reporter.log(`The scrub passes over an object: ${hash}: ${reason}`);
      return;
    }
    if (!this.#isStill(slot, hash)) return;
    this.#failures++;
    // A bad place on the disk: set aside, so that a good copy can come. Permissions can be mended where it is.
    if (errno(thrown) === 'EIO') objects.quarantine(slot, reason);
    else objects.options.reporter.damage('object', hash, reason);
  }

  async #image(name: string): Promise<void> {
    const { images } = this.#options;
    const record = images.catalogue.images.get(name);
    if (!record) return;
    try {
      const bytes = await readVerified(images.pathOf(name), record);
      this.#checkedBytes += bytes.length;
      const pause = this.#pace(bytes.length);
      if (pause) await pause;
      const same = (await sha512(bytes)).toString('hex') === record.entry.identity;
      if (!same) throw new ImageServerError('CORRUPT', 'checksum mismatch');
    } catch (thrown) {
      if (images.changing(name) || images.catalogue.images.get(name) !== record) return;
      this.#failures++;
      if (thrown instanceof ImageServerError && thrown.code === 'CORRUPT')
        images.setAside(name, thrown.message);
      else images.options.reporter.damage('image', name, (thrown as Error).message);
    }
  }

  /** Sleeps when more was read than the rate allows. */
  #pace(bytes: number): undefined | Promise<void> {
    if (this.#bytesPerSecond <= 0 || this.#stop.signal.aborted) return undefined;
    const now = performance.now();
    this.#ahead = Math.max(0, this.#ahead - ((now - this.#lastPause) / 1000) * this.#bytesPerSecond) + bytes;
    this.#lastPause = now;
    const ms = (this.#ahead / this.#bytesPerSecond) * 1000;
    return ms < 50 ? undefined : Bun.sleep(Math.min(ms, 1000));
  }
}
