/**
 * SHA-512 of contents that come in pieces. Big ones are hashed on a thread of its own, so that receiving and writing go on
 * meanwhile and others are served; there are only so many threads, and who finds none free hashes by himself.
 */
import { availableParallelism } from 'node:os';
import { ImageServerError } from '../errors.ts';
import { makeSha512, sha512Pointers } from '../sha512.ts';
import { workerUrl } from '../text-worker.ts';
import threadSource from './hash-thread.js' with { type: 'text' };
import type { Hash } from './types.ts';

export interface StreamHash {
  /** Takes at most SLICE bytes, which may change once this has returned or its promise is resolved. */
  update(slice: Uint8Array): void | Promise<void>;
  digest(): Hash | Promise<Hash>;
  /** The digest is not wanted any more. Does nothing after `digest` has given it. */
  abandon(): void;
}

/** Bytes that `update` takes at once. */
export const SLICE = 512 * 1024;
/** Handing smaller contents over is not worth while, bytes. */
const BIG = 4 * 1024 * 1024;
/** Slices that may wait for a thread. */
const SLOTS = 4;
/** One core is for everything else. */
const MAX_THREADS = Math.min(Math.max(availableParallelism() - 1, 1), 4);
/** A thread that has had nothing to do for so many milliseconds ends: it takes memory. */
const IDLE_MS = 10_000;

const SOURCE = workerUrl(threadSource);

class HashThread {
  readonly #shared = new SharedArrayBuffer(SLOTS * SLICE);
  readonly #worker: Worker;
  #next = 0;
  #waiting = 0;
  #room = Promise.withResolvers<void>();
  #digest = Promise.withResolvers<Hash>();
  #failure: ImageServerError | undefined;
  #ending: NodeJS.Timeout | undefined;

  constructor() {
    this.#worker = new Worker(SOURCE);
    this.#worker.onmessage = ({ data }: MessageEvent<string>) => {
      if (data !== '') this.#digest.resolve(data);
      else if (this.#waiting-- === SLOTS) this.#room.resolve();
    };
    this.#worker.onerror = ({ message }) => {
      const failure = new ImageServerError('INTERNAL', 'hashing failed', { cause: new Error(message) });
      this.#failure = failure;
      // Told to whoever waits, now or later.
      for (const { promise, reject } of [this.#room, this.#digest]) {
        promise.catch(() => undefined);
        reject(failure);
      }
    };
    this.#worker.postMessage({ shared: this.#shared, pointers: sha512Pointers() });
  }

  update(slice: Uint8Array): void | Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#waiting < SLOTS) return this.#post(slice);
    this.#room = Promise.withResolvers<void>();
    return this.#room.promise.then(() => this.#post(slice));
  }

  #post(slice: Uint8Array): void {
    const at = this.#next * SLICE;
    new Uint8Array(this.#shared, at, slice.length).set(slice);
    this.#next = (this.#next + 1) % SLOTS;
    this.#waiting++;
    this.#worker.postMessage([at, slice.length]);
  }

  async digest(): Promise<Hash> {
    this.#worker.postMessage('digest');
    const hash = await this.#digest.promise;
    this.#digest = Promise.withResolvers<Hash>();
    return hash;
  }

  begin(): void {
    clearTimeout(this.#ending);
    this.#worker.ref();
  }

  /** Calls back and ends if it does not `begin` again for a while. */
  rest(ended: () => void): void {
    this.#worker.unref();
    this.#ending = setTimeout(() => {
      ended();
      this.end();
    }, IDLE_MS).unref();
  }

  end(): void {
    this.#worker.terminate();
  }
}

const idle: HashThread[] = [];
let threads = 0;

/** One turn of a thread. */
class ThreadedHash implements StreamHash {
  #over = false;

  constructor(readonly thread: HashThread) {}

  update(slice: Uint8Array): void | Promise<void> {
    return this.thread.update(slice);
  }

  async digest(): Promise<Hash> {
    const hash = await this.thread.digest();
    if (this.#over) return hash;
    this.#over = true;
    idle.push(this.thread);
    this.thread.rest(() => {
      idle.splice(idle.indexOf(this.thread), 1);
      threads--;
    });
    return hash;
  }

  /** What the thread has begun is not worth waiting for. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    threads--;
    this.thread.end();
  }
}

class OwnHash implements StreamHash {
  readonly #hasher = makeSha512();

  update(slice: Uint8Array): void {
    this.#hasher.update(slice);
  }
  digest(): Hash {
    return this.#hasher.digest().toString('hex');
  }
  abandon(): void {}
}

/** For contents of so many bytes, as far as that is known. */
export function streamHash(length: number | undefined): StreamHash {
  if (length === undefined || length < BIG) return new OwnHash();
  let thread = idle.pop();
  if (!thread) {
    if (threads >= MAX_THREADS) return new OwnHash();
    threads++;
    thread = new HashThread();
  }
  thread.begin();
  return new ThreadedHash(thread);
}
