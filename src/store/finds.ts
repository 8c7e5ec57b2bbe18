/**
 * What is on the disk but was not put there and synced by this process: left by one that was killed, by another program,
 * or by a sync that failed. Before anything that relies on such a file is acknowledged it is made durable.
 */
import { dirname } from 'node:path';
import type { Disk } from './disk.ts';
import type { SharedSync } from './shared-sync.ts';

/** Clocks of file systems lag behind by a tick or two, milliseconds. */
const CLOCK_LAG_MS = 100;

export class Finds {
  readonly #disk: Disk;
  readonly #root: string;
  readonly #sync: SharedSync;
  readonly #startedAt = Date.now() - CLOCK_LAG_MS;
  /** Everything that was there at the start; undefined once it is durable. */
  #start: Promise<unknown> | undefined;
  readonly #pending = new Set<string>();

  constructor(disk: Disk, root: string, sync: SharedSync) {
    this.#disk = disk;
    this.#root = root;
    this.#sync = sync;
  }

  /** Syncs what is there at the start, in the background. False if the file system cannot be synced as a whole. */
  begin(): Promise<boolean> {
    const start = this.#sync.sync();
    this.#start = start;
    start.then(
      () => {
        this.#start = undefined;
      },
      () => undefined, // `settle` tries again and tells who waits for it.
    );
    return start;
  }

  /** A file of unknown age was found. `ctimeMs`: when it was last changed, its name included. */
  found(path: string, ctimeMs: number): void {
    if (ctimeMs >= this.#startedAt) this.#pending.add(path);
  }

  /** A file is in place, but the sync of its directory failed. */
  unsynced(path: string): void {
    this.#pending.add(path);
  }

  /** Resolves when everything found so far is durable; undefined if it is already. */
  settle(): Promise<void> | undefined {
    return this.#start === undefined && this.#pending.size === 0 ? undefined : this.#settle();
  }

  async #settle(): Promise<void> {
    // Not one that failed before this was asked for.
    const atStart = this.#start;
    if (atStart) await atStart.catch(() => this.begin());
    const paths = [...this.#pending];
    if (paths.length === 0) return;
    if (!(await this.#sync.sync())) await this.#each(paths);
    for (const path of paths) this.#pending.delete(path);
  }

  async #each(paths: readonly string[]): Promise<void> {
    const directories = new Set<string>([this.#root]);
    for (const path of paths) {
      await this.#disk.syncPath(path).catch(ifGone);
      for (let at = dirname(path); at.length > this.#root.length; at = dirname(at)) directories.add(at);
    }
    for (const directory of directories) await this.#disk.syncPath(directory).catch(ifGone);
  }
}

/** What was removed meanwhile need not be durable. */
function ifGone(thrown: { code?: string }): void {
  if (thrown.code !== 'ENOENT') throw thrown;
}
