/**
 * Two calls of the C library that Bun does not offer: syncfs(2), made in a worker so that the event loop goes on, and
 * flock(2). Where the library cannot be loaded both say so and the callers do without.
 */
import { FFIType } from 'bun:ffi';
import { cLibraryWith, openCLibrary } from '../c-library.ts';
import { workerUrl } from '../text-worker.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
/** How long to wait for the worker's first answer before doing without it, ms. */
const START_MS = 10_000;

/** Takes an exclusive lock without waiting: true = got it, false = somebody has it, undefined = cannot tell. */
export function lockFile(fd: number): boolean | undefined {
  const library = openCLibrary({ flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 } });
  if (!library) return undefined;
  const taken = library.symbols.flock(fd, LOCK_EX | LOCK_NB) === 0;
  library.close();
  return taken;
}

const WORKER_SOURCE = `
import { dlopen, FFIType } from 'bun:ffi';
const library = dlopen(LIBRARY, { syncfs: { args: [FFIType.i32], returns: FFIType.i32 } });
self.onmessage = ({ data: [id, fd] }) => postMessage([id, library.symbols.syncfs(fd)]);
`;

interface Waiting {
  resolve(done: boolean): void;
  reject(failure: Error): void;
}

class SyncWorker {
  readonly #waiting = new Map<number, Waiting>();
  readonly #worker: Worker;
  #next = 1;
  #answered = false;
  #broken = false;

  constructor(library: string) {
    const source = WORKER_SOURCE.replace('LIBRARY', JSON.stringify(library));
    this.#worker = new Worker(workerUrl(source));
    this.#worker.unref();
    this.#worker.onmessage = ({ data: [id, result] }: MessageEvent<[number, number]>) => {
      this.#answered = true;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      this.#rest();
      if (result === 0) waiting?.resolve(true);
      else waiting?.reject(new Error('syncfs failed'));
    };
    this.#worker.onerror = () => this.#giveUp();
  }

  sync(fd: number): Promise<boolean> {
    if (this.#broken) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage([id, fd]);
      if (!this.#answered) setTimeout(() => this.#answered || this.#giveUp(), START_MS).unref();
    });
  }

  #rest(): void {
    if (this.#waiting.size === 0) this.#worker.unref();
  }

  #giveUp(): void {
    this.#broken = true;
    for (const waiting of this.#waiting.values()) waiting.resolve(false);
    this.#waiting.clear();
    this.#worker.terminate();
  }
}

let worker: SyncWorker | undefined;
let library: string | null | undefined;

/** Makes everything on the file system of `fd` durable. False if this machine cannot; rejects if the disk failed. */
export async function syncFileSystem(fd: number): Promise<boolean> {
  if (library === undefined)
    library = cLibraryWith({ syncfs: { args: [FFIType.i32], returns: FFIType.i32 } }) ?? null;
  if (library === null) return false;
  worker ??= new SyncWorker(library);
  return worker.sync(fd);
}
