/**
 * Uploads that can be resumed. The bytes go on to the store as they come (hashed and staged there), fed by one request
 * after the other; what is kept between them is only the place reached. If nobody comes back for a while, all is
 * dropped.
 */
import { ImageServerError } from '../../errors.ts';
import type { Hash, PutResult } from '../../store/types.ts';
import type { SizedObject } from './store-object.ts';

/** How long an upload that broke off waits for its next part, milliseconds. */
const PATIENCE_MS = 30 * 60 * 1000;
/** Unfinished uploads at a time; each holds a staged file. */
const MAX_UPLOADS = 100;

/** Where the bytes go; resolves when the object is durable. */
export type Sink = (object: SizedObject) => Promise<PutResult>;

interface Piece {
  readonly data: Uint8Array;
  taken(): void;
}

/** The bytes of one object on their way to the store, over several requests. */
export class ResumableUpload {
  /** Bytes handed to the store so far. */
  offset = 0;
  /** Settles when the object is stored, or the upload has failed or was given up. */
  readonly result: Promise<PutResult>;
  #feeding: AbortController | undefined;
  #piece = Promise.withResolvers<Piece>();
  /** The piece that the store is busy with. */
  #busy: Promise<void> = Promise.resolve();
  readonly #lost = Promise.withResolvers<never>();
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(
    sink: Sink,
    readonly hash: Hash,
    readonly length: number,
    readonly patienceMs: number,
  ) {
    this.#lost.promise.catch(() => {
      // Looked at only while a piece is waited for.
    });
    this.result = sink({ length, expected: hash, data: this.#pieces() }).finally(() =>
      clearTimeout(this.#patience),
    );
    this.result.catch(() => {
      // Whoever feeds the upload is told; between requests there is nobody to tell.
    });
    this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#patience);
    const giveUp = () => this.drop(new ImageServerError('TIMEOUT', 'the upload was given up'));
    this.#patience = setTimeout(giveUp, this.patienceMs);
    this.#patience.unref();
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    while (this.offset < this.length) {
      const { data, taken } = await Promise.race([this.#piece.promise, this.#lost.promise]);
      this.#piece = Promise.withResolvers();
      this.offset += data.length;
      yield data;
      taken();
    }
  }

  /** Gives the upload up: what was staged is removed. */
  drop(reason = new ImageServerError('CANCELLED', 'the upload was cancelled')): void {
    this.#feeding?.abort();
    this.#lost.reject(reason);
  }

  /**
   * Feeds the bytes of one request, beginning at `offset`; resolves when they are taken, with the result if they were
   * the last. A request that comes while another one feeds (whose connection is probably dead) takes over. Throws
   * CONFLICT if `offset` is not where the upload stands, INVALID_REQUEST if there are too many bytes.
   */
  async feed(offset: number, chunks: AsyncIterable<Uint8Array>): Promise<PutResult | undefined> {
    this.#feeding?.abort();
    const feeding = new AbortController();
    this.#feeding = feeding;
    clearTimeout(this.#patience);
    try {
      await this.#busy;
      if (offset !== this.offset)
        throw new ImageServerError('CONFLICT', `the upload stands at ${this.offset}, not ${offset}`);
      for await (const data of chunks) {
        if (feeding.signal.aborted)
          throw new ImageServerError('CONFLICT', 'another request took this upload over');
        if (this.offset + data.length > this.length)
          throw new ImageServerError('INVALID_REQUEST', `more bytes than the ${this.length} announced`);
        await this.#hand(data);
      }
      return this.offset === this.length ? await this.result : undefined;
    } finally {
      if (this.#feeding === feeding) {
        this.#feeding = undefined;
        this.#wait();
      }
    }
  }

  /** Hands one piece to the store and waits until it has been dealt with. */
  async #hand(data: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // The store need not ask for more once it has all, and does not when it fails.
    const done = Promise.race([promise, this.result.then(() => undefined)]);
    this.#busy = done.catch(() => {
      // Told to this request below.
    });
    this.#piece.resolve({ data, taken: resolve });
    await done;
    if (this.offset < this.length) return;
    await this.result;
  }
}

/** Headers that tell how far an upload got. */
export function progress(upload: ResumableUpload): Record<string, string> {
  return { 'upload-offset': String(upload.offset), 'upload-length': String(upload.length) };
}

/** Unfinished resumable uploads by hash. */
export class Uploads {
  readonly #open = new Map<Hash, ResumableUpload>();

  constructor(readonly patienceMs = PATIENCE_MS) {}

  get(hash: Hash): ResumableUpload | undefined {
    return this.#open.get(hash);
  }

  /** Begins an upload. Throws TOO_MANY_REQUESTS. */
  begin(hash: Hash, length: number, sink: Sink): ResumableUpload {
    if (this.#open.size >= MAX_UPLOADS)
      throw new ImageServerError(
        'TOO_MANY_REQUESTS',
        `there are ${MAX_UPLOADS} unfinished uploads already: finish one, cancel one (DELETE /objects/{hash}), or try again later`,
      );
    const upload = new ResumableUpload(sink, hash, length, this.patienceMs);
    this.#open.set(hash, upload);
    const forget = () => {
      if (this.#open.get(hash) === upload) this.#open.delete(hash);
    };
    upload.result.then(forget, forget);
    return upload;
  }
}
