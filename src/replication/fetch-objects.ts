/**
 * Brings the objects that images lack from the master: each once even when several images want it, those of many images
 * in one call, over a few connections; verified by the store, durable in groups, and kept when the work is interrupted.
 */
import { type ErrorCode, ImageServerError } from '../errors.ts';
import type { Hash, ObjectSource, ObjectStore, ObjectUpload } from '../store/types.ts';
import type { Bandwidth } from './bandwidth.ts';
import type { MasterLink } from './master-link.ts';

/** Objects and bytes asked for in one call. */
const BATCH_OBJECTS = 1000;
const BATCH_BYTES = 32 * 1024 * 1024;
/** Bytes on their way or received and not yet durable: the rest waits rather than fill the disk's queue. */
const UNCOMMITTED_BYTES = 128 * 1024 * 1024;

/** What says that this object is bad rather than the connection or the disk. */
const ONE_BAD_OBJECT: ReadonlySet<ErrorCode> = new Set([
  'CORRUPT',
  'HASH_MISMATCH',
  'COLLISION',
  'INVALID_REQUEST',
]);

export interface WantedObject {
  readonly hash: Hash;
  /** Bytes as the image says; 0 or less = not known. */
  readonly size: number;
}

export interface FetchResult {
  readonly objects: number;
  readonly bytes: number;
}

/** Somebody waits for several objects. */
interface Taker {
  readonly lease: ObjectUpload;
  readonly signal: AbortSignal;
  /** Objects not here yet, plus one while more are being asked for. */
  left: number;
  failure: unknown;
  /** Not at the master. */
  missing: Hash[];
  readonly done: () => void;
}

/** An object on its way, for one or more. */
interface Order extends WantedObject {
  readonly takers: [Taker, ...Taker[]];
  /** A call for several failed: what did not come is asked for again, for each first taker by itself. */
  alone: boolean;
}

/** What became of an object: `here`, `missing` at the master, or else what was thrown. */
type Outcome = unknown;

export class ObjectFetcher {
  readonly #link: MasterLink;
  readonly #store: ObjectStore;
  readonly #bandwidth: Bandwidth;
  readonly #callsInFlight: number;
  readonly #orders = new Map<Hash, Order>();
  /** Orders nobody works on yet: what one call asks for is decided when it begins. */
  #waiting: Order[] = [];
  /** Those that wait for the disk do not count: others receive meanwhile. */
  #calls = 0;
  #uncommitted = 0;

  constructor(link: MasterLink, store: ObjectStore, bandwidth: Bandwidth, callsInFlight: number) {
    this.#link = link;
    this.#store = store;
    this.#bandwidth = bandwidth;
    this.#callsInFlight = callsInFlight;
  }

  /**
   * Resolves when all `wanted` are here, durable and leased by `lease`. Throws OBJECTS_MISSING if the master lacks some;
   * the others are here then. Counts what nobody else had asked for.
   */
  async fetch(
    wanted: readonly WantedObject[],
    lease: ObjectUpload,
    signal: AbortSignal,
  ): Promise<FetchResult> {
    signal.throwIfAborted();
    let objects = 0;
    let bytes = 0;
    const over = Promise.withResolvers<void>();
    const taker: Taker = { lease, signal, left: 1, failure: undefined, missing: [], done: over.resolve };
    for (const { hash, size } of wanted) {
      taker.left++;
      const coming = this.#orders.get(hash);
      if (coming) {
        coming.takers.push(taker);
        continue;
      }
      const order: Order = { hash, size, takers: [taker], alone: false };
      this.#orders.set(hash, order);
      this.#waiting.push(order);
      objects++;
      bytes += Math.max(0, size);
    }
    settle(taker);
    this.#start();
    await over.promise;
    signal.throwIfAborted();
    if (taker.failure !== undefined) throw taker.failure;
    if (taker.missing.length > 0) throw notAtMaster(taker.missing);
    return { objects, bytes };
  }

  #start(): void {
    while (
      this.#waiting.length > 0 &&
      this.#calls < this.#callsInFlight &&
      (this.#uncommitted === 0 || this.#uncommitted + BATCH_BYTES <= UNCOMMITTED_BYTES)
    ) {
      const batch = cutBatch(this.#waiting);
      this.#waiting = this.#waiting.slice(batch.length);
      void this.#bring(batch);
    }
  }

  async #bring(batch: readonly Order[]): Promise<void> {
    const bytes = bytesOf(batch);
    const upload = this.#store.upload();
    const outcomes = new Map<Hash, Outcome>();
    let failure: unknown;
    this.#uncommitted += bytes;
    this.#calls++;
    try {
      await this.#receive(batch, upload, outcomes);
    } catch (thrown) {
      failure = thrown;
    }
    this.#calls--;
    this.#start();
    let uncommitted: unknown;
    try {
      // Also after a cut connection: what has arrived need not be fetched again.
      await upload.commit();
    } catch (thrown) {
      uncommitted = thrown;
    }
    this.#uncommitted -= bytes;
    const first = (batch[0] as Order).takers[0];
    const shared = batch.some(({ takers }) => takers[0] !== first);
    for (const order of batch) {
      const outcome = outcomes.get(order.hash);
      // One object that ends the call must not cost other images theirs.
      if (outcome === undefined && shared) {
        order.alone = true;
        this.#waiting.push(order);
      } else this.#deliver(order, outcome === 'here' ? (uncommitted ?? 'here') : (outcome ?? failure));
    }
    upload.close();
    this.#start();
  }

  #deliver({ hash, takers }: Order, outcome: Outcome): void {
    this.#orders.delete(hash);
    for (const taker of takers) {
      if (outcome === 'here') taker.lease.hold([hash]);
      else if (outcome === 'missing') taker.missing.push(hash);
      else taker.failure ??= outcome;
      settle(taker);
    }
  }

  async #receive(batch: readonly Order[], upload: ObjectUpload, outcomes: Map<Hash, Outcome>): Promise<void> {
    const { signal } = (batch[0] as Order).takers[0];
    const ask = (part: readonly Order[]) =>
      this.#link.objects(
        part.map(({ hash }) => hash),
        async (index, length, data) => {
          const { hash, size } = part[index] as Order;
          try {
            if (size > 0 && length !== size)
              throw new ImageServerError(
                'CORRUPT',
                `object ${hash} has ${length} bytes at the master, not ${size}`,
              );
            await upload.put({ length, expected: hash, data: this.#metered(data, signal) });
            outcomes.set(hash, 'here');
          } catch (thrown) {
            // One bad object does not cost the others of its batch.
            if (!(thrown instanceof ImageServerError) || !ONE_BAD_OBJECT.has(thrown.code)) throw thrown;
            outcomes.set(hash, thrown);
          }
        },
        signal,
      );
    const missing = await ask(batch);
    if (missing.length === 0) return;
    for (const index of missing) outcomes.set((batch[index] as Order).hash, 'missing');
    const rest = batch.filter(({ hash }) => !outcomes.has(hash));
    // What went away at the master between the two is told by the next attempt.
    if (rest.length > 0 && (await ask(rest)).length > 0)
      throw new ImageServerError('OBJECTS_MISSING', 'objects went away at the master');
  }

  #metered(data: Uint8Array | AsyncIterable<Uint8Array>, signal: AbortSignal): ObjectSource['data'] {
    const bandwidth = this.#bandwidth;
    if (data instanceof Uint8Array) {
      const wait = bandwidth.take(data.length, signal);
      if (!wait) return data;
      return (async function* () {
        await wait;
        yield data;
      })();
    }
    return (async function* () {
      for await (const chunk of data) {
        yield chunk;
        await bandwidth.take(chunk.length, signal);
      }
    })();
  }
}

function settle(taker: Taker): void {
  if (--taker.left === 0) taker.done();
}

function notAtMaster(missing: readonly Hash[]): ImageServerError {
  return new ImageServerError(
    'OBJECTS_MISSING',
    missing.length === 1
      ? `object: ${missing[0]} is not at the master`
      : `${missing.length} objects are not at the master, first: ${missing[0]}`,
  );
}

function bytesOf(objects: readonly WantedObject[]): number {
  return objects.reduce((sum, { size }) => sum + Math.max(0, size), 0);
}

/** The first orders, as many as go into one call. */
function cutBatch(orders: readonly Order[]): Order[] {
  let count = 0;
  let bytes = 0;
  const first = orders[0] as Order;
  for (const { size, takers, alone } of orders) {
    if (count >= BATCH_OBJECTS || (count > 0 && bytes + size > BATCH_BYTES)) break;
    // A call ends with whom it was begun for.
    if (takers[0].signal !== first.takers[0].signal) break;
    if ((alone || first.alone) && takers[0] !== first.takers[0]) break;
    count++;
    bytes += Math.max(0, size);
  }
  return orders.slice(0, count);
}
