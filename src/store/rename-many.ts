/**
 * Renaming many files into place, on a thread: each rename may wait for the journal of the file system, and making
 * directories does, which would hold up everybody.
 */
import { ImageServerError } from '../errors.ts';
import { workerUrl } from '../text-worker.ts';
import threadSource from './place-thread.js' with { type: 'text' };

export type Move = readonly [from: string, to: string];

export interface Renamed {
  /** So many of the first are in place. */
  readonly placed: number;
  /** Indices of those for which directories had to be made. */
  readonly made: readonly number[];
  /** Why the others are not. */
  readonly failure?: Error;
}

/** A thread that has had nothing to do for so many milliseconds ends: it takes memory. */
const IDLE_MS = 3_000;

const SOURCE = workerUrl(threadSource);

interface Answer extends Renamed {
  readonly id: number;
}

class PlaceThread {
  readonly #worker = new Worker(SOURCE);
  readonly #waiting = new Map<number, PromiseWithResolvers<Renamed>>();
  #next = 1;
  #ending: NodeJS.Timeout | undefined;

  constructor() {
    this.#worker.unref();
    this.#worker.onmessage = ({ data: { id, placed, made, failure } }: MessageEvent<Answer>) => {
      const answer = failure ? { failure: Object.assign(new Error(failure.message), failure) } : {};
      this.#waiting.get(id)?.resolve({ placed, made, ...answer });
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#rest();
    };
    this.#worker.onerror = ({ message }) => this.#failed(message);
  }

  rename(moves: readonly Move[], mode: number): Promise<Renamed> {
    clearTimeout(this.#ending);
    const id = this.#next++;
    const waiting = Promise.withResolvers<Renamed>();
    this.#waiting.set(id, waiting);
    this.#worker.ref();
    this.#worker.postMessage({ id, moves, mode });
    return waiting.promise;
  }

  #rest(): void {
    this.#worker.unref();
    this.#ending = setTimeout(() => this.#end(), IDLE_MS).unref();
  }

  /** How many are in place is not known. */
  #failed(message: string): void {
    const cause = new Error(message);
    for (const { reject } of this.#waiting.values())
      reject(new ImageServerError('INTERNAL', 'putting objects in place failed', { cause }));
    this.#waiting.clear();
    this.#end();
  }

  #end(): void {
    this.#worker.terminate();
    if (thread === this) thread = undefined;
  }
}

let thread: PlaceThread | undefined;

/**
 * Renames in the given order until one fails. Missing directories, up to two levels, are made with `mode`. Rejects with
 * INTERNAL if the thread itself fails: some may be in place then.
 */
export function renameMany(moves: readonly Move[], mode: number): Promise<Renamed> {
  thread ??= new PlaceThread();
  return thread.rename(moves, mode);
}
