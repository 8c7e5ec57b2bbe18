/**
 * Group commit: callers that ask for durability while a sync is under way share the next one. What was written before
 * the call is durable when it resolves.
 */
import type { Disk } from './disk.ts';

export class SharedSync {
  readonly #disk: Disk;
  readonly #fd: number;
  #running: Promise<boolean> | undefined;
  #following: Promise<boolean> | undefined;

  /** `fd`: any open file on the file system. */
  constructor(disk: Disk, fd: number) {
    this.#disk = disk;
    this.#fd = fd;
  }

  /** False if the whole file system cannot be synced here: then sync file by file. */
  sync(): Promise<boolean> {
    if (!this.#running) return this.#start();
    this.#following ??= this.#running
      .catch(() => false) // Whoever asked for that one has been told.
      .then(() => {
        this.#following = undefined;
        return this.#start();
      });
    return this.#following;
  }

  #start(): Promise<boolean> {
    const run = this.#disk.syncAll(this.#fd).finally(() => {
      if (this.#running === run) this.#running = undefined;
    });
    this.#running = run;
    return run;
  }
}
