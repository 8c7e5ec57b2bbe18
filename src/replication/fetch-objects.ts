/**
 * Brings the objects an image lacks from the master: in batches over a few connections, each object once even when
 * several images want it, verified by the store, and kept when the work is interrupted.
 */
import { type ErrorCode, ImageServerError } from '../errors.ts';
import type { Hash, ObjectSource, ObjectStore, ObjectUpload } from '../store/types.ts';
import type { Bandwidth } from './bandwidth.ts';
import type { MasterLink } from './master-link.ts';

/** Objects and bytes asked for in one call. */
const BATCH_OBJECTS = 1000;
const BATCH_BYTES = 32 * 1024 * 1024;

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

export class ObjectFetcher {
  readonly #link: MasterLink;
  readonly #store: ObjectStore;
  readonly #bandwidth: Bandwidth;
  readonly #batchesInFlight: number;
  /** Objects on their way, for whichever image; the promise settles (never rejects) when the attempt is over. */
  readonly #coming = new Map<Hash, Promise<void>>();
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(link: MasterLink, store: ObjectStore, bandwidth: Bandwidth, batchesInFlight: number) {
    this.#link = link;
    this.#store = store;
    this.#bandwidth = bandwidth;
    this.#batchesInFlight = batchesInFlight;
  }

  /**
   * Resolves when all `wanted` are here. What is fetched is leased by uploads added to `leases`; the caller closes
   * them once something refers to the objects. Throws OBJECTS_MISSING if the master lacks some; the others are here
   * then.
   */
  async fetch(
    wanted: readonly WantedObject[],
    leases: ObjectUpload[],
    signal: AbortSignal,
  ): Promise<FetchResult> {
    let objects = 0;
    let bytes = 0;
    const failures: unknown[] = [];
    const own: WantedObject[] = [];
    const others = new Set<Promise<void>>();
    for (const object of wanted) {
      const coming = this.#coming.get(object.hash);
      if (coming) others.add(coming);
      else own.push(object);
    }
    await Promise.all(
      cutBatches(own).map((batch) => {
        const arriving = this.#slot(async () => {
          signal.throwIfAborted();
          await this.#batch(batch, leases, signal);
          objects += batch.length;
          for (const { size } of batch) bytes += Math.max(0, size);
        }).catch((thrown: unknown) => {
          failures.push(thrown);
        });
        for (const { hash } of batch) this.#coming.set(hash, arriving);
        return arriving.then(() => {
          for (const { hash } of batch) if (this.#coming.get(hash) === arriving) this.#coming.delete(hash);
        });
      }),
    );
    await Promise.all(others);
    signal.throwIfAborted();
    if (failures.length > 0) throw failures[0];
    return { objects, bytes };
  }

  async #slot<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#batchesInFlight)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  async #batch(batch: readonly WantedObject[], leases: ObjectUpload[], signal: AbortSignal): Promise<void> {
    const upload = this.#store.upload();
    leases.push(upload);
    let bad: ImageServerError | undefined;
    const ask = (part: readonly WantedObject[]) =>
      this.#link.objects(
        part.map(({ hash }) => hash),
        async (index, length, data) => {
          const { hash, size } = part[index] as WantedObject;
          try {
            if (size > 0 && length !== size)
              throw new ImageServerError(
                'CORRUPT',
                `object ${hash} has ${length} bytes at the master, not ${size}`,
              );
            await upload.put({ length, expected: hash, data: this.#metered(data, signal) });
          } catch (thrown) {
            // One bad object does not cost the others of its batch.
            if (!(thrown instanceof ImageServerError) || !ONE_BAD_OBJECT.has(thrown.code)) throw thrown;
            bad ??= thrown;
          }
        },
        signal,
      );
    try {
      const missing = await ask(batch);
      if (missing.length > 0) {
        const lacking = new Set(missing);
        const rest = batch.filter((_, index) => !lacking.has(index));
        if (rest.length > 0 && (await ask(rest)).length === 0) await upload.commit();
        const first = batch[missing[0] as number]?.hash;
        throw new ImageServerError(
          'OBJECTS_MISSING',
          missing.length === 1
            ? `object: ${first} is not at the master`
            : `${missing.length} objects are not at the master, first: ${first}`,
        );
      }
      if (bad) throw bad;
    } finally {
      // Also after a cut connection: what has arrived need not be fetched again.
      await upload.commit();
    }
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

function cutBatches(objects: readonly WantedObject[]): WantedObject[][] {
  const batches: WantedObject[][] = [];
  let batch: WantedObject[] = [];
  let bytes = 0;
  for (const object of objects) {
    if (batch.length >= BATCH_OBJECTS || (batch.length > 0 && bytes + object.size > BATCH_BYTES)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(object);
    bytes += Math.max(0, object.size);
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
