/**
 * The files of OBJECT_DIR with their sizes, listed on a thread of its own: the disk is waited for there, and a little is
 * listed ahead of who asks for it.
 */
import { FFIType } from 'bun:ffi';
import { constants } from 'node:fs';
import { cLibraryWith } from '../c-library.ts';
import { workerUrl } from '../text-worker.ts';
import threadSource from './list-thread.js' with { type: 'text' };

/** What is listed ahead, in pieces of 4096 files: 10 MiB. */
const AHEAD = 32;

export interface Listed {
  /** Files. */
  readonly count: number;
  /** 64 bytes each. */
  readonly hashes: Uint8Array;
  /** Bytes; -1: not a file, or it could not be looked at. */
  readonly sizes: Float64Array;
  /** Directories (16 bits of hash) that have been listed. */
  readonly leaves: readonly number[];
  /** Paths of what cannot be an object. */
  readonly strays: readonly string[];
  /** Paths of directories that could not be listed, on both levels. */
  readonly unread: readonly string[];
}

const SOURCE = workerUrl(threadSource);

/** The name of the library that has what the thread needs. */
function listingLibrary(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  return cLibraryWith({
    getdents64: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i64_fast },
    statx: {
      args: [FFIType.i32, FFIType.ptr, FFIType.i32, FFIType.u32, FFIType.ptr],
      returns: FFIType.i32,
    },
  });
}

export class ObjectList {
  readonly #worker: Worker | undefined;
  #alone: readonly string[] = [];
  readonly #pieces: (Listed | null)[] = [];
  #arrived = Promise.withResolvers<void>();
  #failure: Error | undefined;
  readonly #ended = Promise.withResolvers<void>();
  /** Set for the thread to see in the middle of a piece. */
  readonly #stop = new Uint8Array(new SharedArrayBuffer(1));

  /** `firsts`: the directories of the first level. Begins at once. */
  constructor(root: string, firsts: readonly string[]) {
    const library = listingLibrary();
    if (library === undefined) {
      this.#alone = firsts;
      return;
    }
    const worker = new Worker(SOURCE);
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Listed | null | 'ended'>) => {
      if (data === 'ended') this.#over();
      else this.#pieces.push(data);
      this.#arrived.resolve();
    };
    worker.onerror = ({ message }) => {
      this.#failure = new Error(message);
      this.#over();
      this.#arrived.resolve();
    };
    worker.postMessage({
      library,
      root,
      firsts,
      directoryFlag: constants.O_DIRECTORY,
      stop: this.#stop.buffer,
    });
    for (let count = 0; count < AHEAD; count++) worker.postMessage('next');
  }

  /** Undefined at the end. Rejects if the thread has failed. */
  async next(): Promise<Listed | undefined> {
    if (!this.#worker) {
      const unread = this.#alone;
      this.#alone = [];
      if (unread.length === 0) return undefined;
      return {
        count: 0,
        hashes: new Uint8Array(0),
        sizes: new Float64Array(0),
        leaves: [],
        strays: [],
        unread,
      };
    }
    while (this.#pieces.length === 0 && !this.#isEnded) {
      if (this.#failure) throw this.#failure;
      await this.#arrived.promise;
      this.#arrived = Promise.withResolvers<void>();
    }
    if (this.#isEnded) return undefined;
    this.#worker.postMessage('next');
    return this.#pieces.shift() ?? undefined;
  }

  get #isEnded(): boolean {
    return this.#stop[0] === 1;
  }

  #over(): void {
    this.#worker?.terminate();
    this.#ended.resolve();
  }

  /** Ends the thread, in the middle as well; `next` tells of no more then. Resolves when it has no file open. */
  end(): Promise<void> {
    if (this.#worker && !this.#isEnded) {
      this.#stop[0] = 1;
      this.#worker.postMessage('end');
      this.#arrived.resolve();
    }
    return this.#worker ? this.#ended.promise : Promise.resolve();
  }
}
