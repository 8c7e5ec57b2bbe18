/**
 * One big object on its way in: hashed as it comes, written to a temporary file. If an object of that hash is here
 * already the two are compared on the way instead, and only a difference starts a file.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { BIG_FILE, isUnreadable } from './disk.ts';
import { type DirectoryObjectStore, FILE_MODE } from './object-store.ts';
import { SLICE, type StreamHash, streamHash } from './stream-hash.ts';
import { Turn } from './turn.ts';
import type { Hash } from './types.ts';

/** Written bytes are pushed to the disk this often, so that a sync never has more than this before it. */
const FLUSH_BYTES = 32 * 1024 * 1024;

export class IncomingObject {
  readonly #store: DirectoryObjectStore;
  readonly #length: number | undefined;
  readonly #hash: StreamHash;
  readonly #turn = new Turn();
  readonly #existing: string | undefined;
  #existingFd = -1;
  #path: string | undefined;
  #fd = -1;
  #unflushed = 0;
  #flushing: Promise<void> | undefined;
  #flushFailure: unknown;
  received = 0;

  /** `existing`: hash of an object that is here and should be this one. `length`: more bytes are refused. */
  constructor(store: DirectoryObjectStore, length: number | undefined, existing: Hash | undefined) {
    this.#store = store;
    this.#length = length;
    this.#hash = streamHash(length);
    this.#existing = existing === undefined ? undefined : store.pathOf(existing);
    if (this.#existing === undefined) return;
    try {
      this.#existingFd = openSync(this.#existing, 'r');
    } catch (thrown) {
      if (!isUnreadable(thrown)) throw thrown;
    }
  }

  async take(chunk: Uint8Array): Promise<void> {
    if (this.#length !== undefined && this.received + chunk.length > this.#length)
      throw new ImageServerError('INVALID_REQUEST', 'more data than announced');
    for (let at = 0; at < chunk.length; at += SLICE) {
      const slice = chunk.subarray(at, at + SLICE);
      const hashing = this.#hash.update(slice);
      if (this.#existingFd < 0 || !this.#equalSoFar(slice)) this.#write(slice);
      this.received += slice.length;
      if (hashing) await hashing;
      if (this.#turn.over()) await this.#turn.next();
    }
    if (this.#unflushed >= FLUSH_BYTES) await this.#flush();
  }

  digest(): Hash | Promise<Hash> {
    return this.#hash.digest();
  }

  /** The temporary file, durable; undefined if the bytes are just those of the existing object. */
  async finish(): Promise<string | undefined> {
    if (this.#existingFd >= 0) {
      const longer = readSync(this.#existingFd, Buffer.alloc(1), 0, 1, this.received) > 0;
      if (!longer) {
        this.#closeExisting();
        return undefined;
      }
      this.#divert();
    }
    await this.#flush();
    await this.#flushing;
    if (this.#flushFailure !== undefined) throw this.#flushFailure;
    this.#store.options.disk.close(this.#fd);
    this.#fd = -1;
    const path = this.#path;
    this.#path = undefined;
    return path;
  }

  /** Leaves nothing behind; does nothing after `finish`. */
  abandon(): void {
    this.#hash.abandon();
    this.#closeExisting();
    const { disk, reporter } = this.#store.options;
    const fd = this.#fd;
    this.#fd = -1;
    const path = this.#path;
    this.#path = undefined;
    const failed = (thrown: unknown) => reporter.log(`Cannot remove a temporary file: ${thrown}`);
    const big = this.received >= BIG_FILE;
    if (path !== undefined && !big) {
      try {
        disk.unlink(path);
      } catch (thrown) {
        failed(thrown);
      }
    }
    // The flush under way still uses the descriptor. A big file goes when it is closed already: that takes time.
    const closed = (this.#flushing ?? Promise.resolve()).then(() => fd >= 0 && disk.close(fd));
    if (path !== undefined && big) closed.then(() => disk.remove(path)).catch(failed);
  }

  #closeExisting(): void {
    if (this.#existingFd >= 0) closeSync(this.#existingFd);
    this.#existingFd = -1;
  }

  /** Compares the next bytes with the existing file; on a difference starts our own. */
  #equalSoFar(slice: Uint8Array): boolean {
    const there = Buffer.allocUnsafe(slice.length);
    if (this.#readExisting(there) === slice.length && there.equals(slice)) return true;
    this.#divert();
    return false;
  }

  #readExisting(into: Buffer): number {
    try {
      return readSync(this.#existingFd, into, 0, into.length, this.received);
    } catch (thrown) {
      if (isUnreadable(thrown)) return 0;
      throw thrown;
    }
  }

  /** What was received so far is equal to the beginning of the existing file: copied from there. */
  #divert(): void {
    const buffer = Buffer.allocUnsafe(SLICE);
    for (let at = 0; at < this.received; ) {
      const count = readSync(this.#existingFd, buffer, 0, Math.min(SLICE, this.received - at), at);
      if (count === 0) throw new ImageServerError('CORRUPT', 'object changed while it was compared');
      this.#write(buffer.subarray(0, count));
      at += count;
    }
    this.#closeExisting();
  }

  #write(bytes: Uint8Array): void {
    const { disk } = this.#store.options;
    if (this.#fd < 0) {
      const path = this.#store.temporaryPath();
      this.#fd = disk.open(path, 'wx', FILE_MODE);
      this.#path = path;
    }
    disk.write(this.#fd, bytes);
    this.#unflushed += bytes.length;
  }

  /** One flush at a time, beside the receiving; waits for the one before it. */
  async #flush(): Promise<void> {
    await this.#flushing;
    if (this.#flushFailure !== undefined) throw this.#flushFailure;
    this.#unflushed = 0;
    this.#flushing = this.#store.options.disk.sync(this.#fd).catch((thrown) => {
      this.#flushFailure = thrown;
    });
  }
}
