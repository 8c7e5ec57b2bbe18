/** The body of an HTTP request: read from the connection only as fast as the handler takes it. */
import type { SocketReader } from '../srpc/reader.ts';
import { BadRequest } from './http-head.ts';

/** Bytes handed to the handler at once. */
const PIECE = 256 * 1024;
/** Longest line between chunks, and of all trailers. */
const MAX_CHUNK_LINE = 1024;
const MAX_TRAILERS = 8 * 1024;
const NEWLINE = 10;
const RETURN = 13;

/** The client stopped sending before the body was complete. */
export class BodyBrokenOff extends BadRequest {
  constructor() {
    super(400, 'the request body broke off');
  }
}

export interface BodyEvents {
  /** Called before the first byte is waited for. */
  readonly begin: () => void;
  /** The peer is waited for (true), or has sent something (false). */
  readonly waiting: (waiting: boolean) => void;
}

export class RequestBody {
  readonly #reader: SocketReader;
  readonly #events: BodyEvents;
  /** Bytes left of the body or of the present chunk. */
  #left: number;
  readonly #chunked: boolean;
  #firstChunk = true;
  #begun = false;
  #done: boolean;
  /** The handler's read in progress. */
  #reading: Promise<unknown> | undefined;
  #abandoned = false;

  constructor(reader: SocketReader, length: number | undefined, events: BodyEvents) {
    this.#reader = reader;
    this.#events = events;
    this.#left = length ?? 0;
    this.#chunked = length === undefined;
    this.#done = length === 0;
  }

  /** All of it was read from the connection. */
  get done(): boolean {
    return this.#done;
  }

  /** The next piece; undefined at the end. Throws BadRequest if it is malformed or broken off. */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (this.#done) return undefined;
    if (!this.#begun) {
      this.#begun = true;
      this.#events.begin();
    }
    if (this.#chunked && this.#left === 0) return this.#nextChunk();
    if (this.#reader.buffered === 0) return this.#nextLater();
    return this.#take(this.#reader.some(Math.min(this.#left, PIECE)) as Uint8Array);
  }

  async #nextLater(): Promise<Uint8Array> {
    if (!(await this.#wait())) throw this.#brokenOff();
    return this.#take(this.#reader.some(Math.min(this.#left, PIECE)) as Uint8Array);
  }

  #take(piece: Uint8Array): Uint8Array {
    this.#left -= piece.length;
    if (this.#left === 0 && !this.#chunked) this.#done = true;
    return piece;
  }

  /** Why nothing more comes. */
  #brokenOff(): BadRequest {
    const { failure } = this.#reader;
    return failure instanceof BadRequest ? failure : new BodyBrokenOff();
  }

  async #wait(): Promise<boolean> {
    this.#events.waiting(true);
    try {
      return await this.#reader.more();
    } finally {
      this.#events.waiting(false);
    }
  }

  /** A line that ends in CRLF, without it. */
  async #line(maxBytes: number): Promise<string> {
    for (;;) {
      const newline = this.#reader.queue.indexOf(NEWLINE);
      if (newline >= maxBytes || (newline < 0 && this.#reader.buffered >= maxBytes))
        throw new BadRequest(400, 'chunk line is too long');
      if (newline === 0 || (newline > 0 && this.#reader.queue.byteAt(newline - 1) !== RETURN))
        throw new BadRequest(400, 'line ends with a bare newline');
      if (newline > 0) {
        const bytes = this.#reader.take(newline + 1) as Uint8Array;
        return Buffer.from(bytes.buffer, bytes.byteOffset, newline - 1).toString('latin1');
      }
      if (!(await this.#wait())) throw this.#brokenOff();
    }
  }

  async #nextChunk(): Promise<Uint8Array | undefined> {
    if (!this.#firstChunk && (await this.#line(MAX_CHUNK_LINE)) !== '')
      throw new BadRequest(400, 'chunk does not end where it should');
    this.#firstChunk = false;
    // A size and extensions that nobody uses; these must not hide anything.
    const size = /^([0-9A-Fa-f]{1,12})(?:;[\t\x20-\x7e]*)?$/.exec(await this.#line(MAX_CHUNK_LINE))?.[1];
    if (size === undefined) throw new BadRequest(400, 'bad chunk size');
    this.#left = Number.parseInt(size, 16);
    if (this.#left > 0) {
      const next = this.next();
      return next instanceof Promise ? await next : next;
    }
    let trailers = 0;
    for (;;) {
      const line = await this.#line(MAX_TRAILERS);
      if (line === '') break;
      trailers += line.length;
      if (trailers > MAX_TRAILERS) throw new BadRequest(400, 'trailers are too long');
    }
    this.#done = true;
    return undefined;
  }

  /** Whether `drain` may succeed. */
  drainable(limit: number): boolean {
    return this.#done || (!this.#chunked && this.#left <= limit);
  }

  /**
   * After the answer: takes what the handler has left if it is at most `limit` bytes; false if there was more or it broke
   * off. The handler gets nothing any more.
   */
  async drain(limit: number): Promise<boolean> {
    this.#abandoned = true;
    if (!this.drainable(limit)) return false;
    let taken = 0;
    try {
      await this.#reading;
      while (!this.#done) {
        const next = this.next();
        taken += (next instanceof Promise ? await next : next)?.length ?? 0;
        if (taken > limit) return false;
      }
    } catch {
      return false;
    }
    return true;
  }

  /** As the handler sees it. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            if (this.#abandoned) throw new Error('the request was answered');
            const next = this.next();
            if (next instanceof Promise) this.#reading = next;
            const piece = next instanceof Promise ? await next : next;
            this.#reading = undefined;
            // The piece is a view of what was received together: the handler gets bytes of its own.
            if (piece) controller.enqueue(new Uint8Array(piece));
            else controller.close();
          } catch (error) {
            controller.error(error);
          }
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** The whole body if it is here already and at most `limit` bytes long. */
  whole(limit: number): Uint8Array<ArrayBuffer> | undefined {
    if (this.#chunked || this.#left > limit || this.#reader.buffered < this.#left) return undefined;
    this.#begun = true;
    this.#done = true;
    return new Uint8Array(this.#reader.take(this.#left) as Uint8Array);
  }
}
