/**
 * What comes in on a connection: lines, gob messages, JSON values and raw bytes share one buffer, and none of them reads
 * ahead. Answers at once (without a promise) when the bytes are here already, and pauses the socket when nobody reads.
 */
import { ImageServerError } from '../errors.ts';
import { badData } from '../wire/gob/cursor.ts';
import type { MessageSource } from '../wire/gob/decoder.ts';
import { ByteQueue } from './byte-queue.ts';
import type { Patience } from './deadlines.ts';
import { JsonEnd } from './json-value.ts';
import type { PeerSocket } from './peer-socket.ts';

/** Bytes buffered before the socket is paused. */
const HIGH_WATER = 256 * 1024;
/** Largest gob message, bytes: an image of more than a million inodes. */
const MAX_MESSAGE = 256 * 1024 * 1024;
/** Raw runs are handed out in chunks of at most this many bytes. */
const MAX_CHUNK = 1024 * 1024;
const NEWLINE = 10;
const RETURN = 13;
const NOTHING = new Uint8Array(0);

export interface ReaderOptions {
  /** Bytes that were read from the socket already. */
  readonly initial?: Uint8Array;
  /** Called before the reader begins to wait: what was promised to the peer must be on its way then. */
  readonly onWait?: () => void;
  /** For what the peer owes in the middle of a call; lines have limits of their own. */
  readonly patience?: Patience;
}

export interface LineLimits {
  /** Bytes, the newline included. */
  readonly maxBytes: number;
  /** Milliseconds a line may take from its first byte; 0 = for ever. */
  readonly timeoutMs: number;
}

export class SocketReader implements MessageSource {
  readonly #socket: PeerSocket;
  readonly #queue = new ByteQueue();
  readonly #onWait: (() => void) | undefined;
  readonly #patience: Patience | undefined;
  #ended = false;
  #failure: Error | undefined;
  #paused = false;
  #discarding = false;
  #wake: (() => void) | undefined;
  #read = 0;

  constructor(socket: PeerSocket, options: ReaderOptions = {}) {
    this.#socket = socket;
    this.#onWait = options.onWait;
    this.#patience = options.patience;
    if (options.initial) this.#queue.push(options.initial);
    socket.on('data', (chunk: Uint8Array) => this.#push(chunk));
    socket.on('end', () => this.#end());
    socket.on('close', () => this.#end());
    socket.on('error', (error) => {
      this.#failure ??= error;
      this.#end();
    });
    if (socket.destroyed || socket.readableEnded) this.#ended = true;
    socket.resume();
  }

  /** The peer will send nothing more; what is buffered may still be read. */
  get ended(): boolean {
    return this.#ended;
  }
  /** Bytes that can be read without waiting. */
  get buffered(): number {
    return this.#queue.length;
  }
  /** Why the stream broke off, if it did not end by itself. */
  get failure(): Error | undefined {
    return this.#failure;
  }
  /** Bytes taken so far. */
  get bytesTaken(): number {
    return this.#read - this.#queue.length;
  }

  /** Everything that comes from now on is dropped: only the end matters any more. */
  discard(): void {
    this.#discarding = true;
    this.#queue.clear();
    this.#unpause();
  }

  /** Ends the stream here, for `reason`; the socket can still be written to. */
  cut(reason: Error): void {
    this.#failure ??= reason;
    this.#end();
  }

  #push(chunk: Uint8Array): void {
    this.#read += chunk.length;
    if (this.#discarding) return;
    this.#queue.push(chunk);
    if (this.#queue.length > HIGH_WATER && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    }
    this.#wakeUp();
  }
  #end(): void {
    this.#ended = true;
    this.#wakeUp();
  }
  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
  #unpause(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }
  #consumed(): void {
    if (this.#paused && this.#queue.length < HIGH_WATER / 2) this.#unpause();
  }
  #take(length: number): Uint8Array {
    const bytes = this.#queue.take(length);
    this.#consumed();
    return bytes;
  }

  /** What is buffered, to be looked at; take bytes through the reader. */
  get queue(): ByteQueue {
    return this.#queue;
  }

  /** Waits for more bytes; false if none will come. */
  more(): Promise<boolean> {
    return this.#wait(this.#patience);
  }
  async #wait(patience?: Patience): Promise<boolean> {
    if (this.#ended) return false;
    this.#onWait?.();
    // Somebody may want more in one piece than what makes the socket pause.
    this.#unpause();
    const before = this.#read;
    patience?.begin();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    patience?.end();
    return this.#read > before;
  }

  /**
   * The next line without its newline, one character for each byte; undefined at the end of the stream (a line that was
   * begun is lost). Throws TOO_LARGE, TIMEOUT.
   */
  readLine(limits: LineLimits): string | undefined | Promise<string | undefined> {
    const end = this.#queue.indexOf(NEWLINE);
    if (end < 0) return this.#lineLater(limits);
    return this.#line(end, limits);
  }
  #line(end: number, { maxBytes }: LineLimits): string {
    if (end >= maxBytes) throw new ImageServerError('TOO_LARGE', 'line is too long');
    const bytes = this.#take(end + 1);
    return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('latin1');
  }
  async #lineLater(limits: LineLimits): Promise<string | undefined> {
    let deadline: NodeJS.Timeout | undefined;
    try {
      for (;;) {
        if (this.#queue.length >= limits.maxBytes)
          throw new ImageServerError('TOO_LARGE', 'line is too long');
        if (this.#queue.length > 0 && limits.timeoutMs > 0)
          deadline ??= setTimeout(() => this.#timeOut(), limits.timeoutMs);
        if (!(await this.#wait())) {
          if (this.#failure instanceof ImageServerError) throw this.#failure;
          return undefined;
        }
        const end = this.#queue.indexOf(NEWLINE);
        if (end >= 0) return this.#line(end, limits);
      }
    } finally {
      clearTimeout(deadline);
    }
  }
  #timeOut(): void {
    this.cut(new ImageServerError('TIMEOUT', 'the peer took too long'));
  }

  /** Payload of the next gob message; undefined at a clean end. Throws INVALID_REQUEST with Go's texts. */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const head = this.#messageHead();
    if (head === 0) return this.#messageLater();
    return this.#message(head);
  }
  #messageSize = 0;
  /** Bytes of the count if the whole message is buffered, else 0. Sets `#messageSize`. */
  #messageHead(): number {
    const queue = this.#queue;
    if (queue.length === 0) return 0;
    const first = queue.byteAt(0);
    if (first < 0x80) {
      this.#messageSize = first;
      return queue.length > first ? 1 : 0;
    }
    if (first < 0xf8) throw badData('gob: invalid message length');
    const width = 256 - first;
    if (queue.length <= width) return 0;
    let size = 0;
    for (let index = 1; index <= width; index++) size = size * 256 + queue.byteAt(index);
    if (size > MAX_MESSAGE) throw badData('invalid message length');
    this.#messageSize = size;
    return queue.length >= 1 + width + size ? 1 + width : 0;
  }
  #message(head: number): Uint8Array {
    this.#queue.skip(head);
    return this.#take(this.#messageSize);
  }
  async #messageLater(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (!(await this.more())) {
        if (this.#queue.length === 0) return undefined;
        throw this.#brokenOff();
      }
      const head = this.#messageHead();
      if (head > 0) return this.#message(head);
    }
  }
  #brokenOff(): ImageServerError {
    return this.#failure instanceof ImageServerError ? this.#failure : badData('unexpected EOF');
  }

  /** Exactly `length` bytes in one piece. Throws INVALID_REQUEST `unexpected EOF`. */
  take(length: number): Uint8Array | Promise<Uint8Array> {
    if (length === 0) return NOTHING;
    return this.#queue.length >= length ? this.#take(length) : this.#takeLater(length);
  }
  async #takeLater(length: number): Promise<Uint8Array> {
    while (this.#queue.length < length) if (!(await this.more())) throw this.#brokenOff();
    return this.#take(length);
  }

  /** At least one byte and at most `limit`, as they are here; undefined at the end of the stream. */
  some(limit: number): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (this.#queue.length === 0) return this.#someLater(limit);
    const bytes = this.#queue.takeSome(limit);
    this.#consumed();
    return bytes;
  }
  async #someLater(limit: number): Promise<Uint8Array | undefined> {
    if (!(await this.more())) return undefined;
    return this.some(limit);
  }

  /** Exactly `length` bytes in pieces as they come. Throws INVALID_REQUEST `unexpected EOF`. */
  async *bytes(length: number): AsyncGenerator<Uint8Array, void, void> {
    let left = length;
    while (left > 0) {
      const next = this.some(Math.min(left, MAX_CHUNK));
      const piece = next instanceof Promise ? await next : next;
      if (!piece) throw this.#brokenOff();
      left -= piece.length;
      yield piece;
    }
  }

  /**
   * Text of the next JSON value and the newline behind it, if there is one; nothing else is taken, raw bytes may follow.
   * Undefined at a clean end. Throws TOO_LARGE, INVALID_REQUEST `unexpected EOF`.
   */
  async json(maxBytes: number): Promise<string | undefined> {
    const parts: Uint8Array[] = [];
    const end = new JsonEnd();
    let size = 0;
    for (;;) {
      const next = this.some(MAX_CHUNK);
      const chunk = next instanceof Promise ? await next : next;
      if (!chunk) {
        if (parts.every((part) => part.every((byte) => byte <= 0x20))) return undefined;
        throw this.#brokenOff();
      }
      const used = end.scan(chunk);
      const part = used < 0 ? chunk : chunk.subarray(0, used);
      parts.push(part);
      size += part.length;
      if (size > maxBytes) throw new ImageServerError('TOO_LARGE', 'JSON value is too big');
      if (used < 0) continue;
      if (used < chunk.length) this.#putBack(chunk.subarray(used));
      await this.#skipNewline();
      return Buffer.concat(parts, size).toString('utf8');
    }
  }
  #putBack(rest: Uint8Array): void {
    const after = this.#queue.take(this.#queue.length);
    this.#queue.push(rest);
    this.#queue.push(after);
  }
  /**
   * Takes the newline that ends a JSON value. Clients may write it separately: it is then on its way, so give it one
   * turn of the event loop. (One that comes later still is a ping, as with the original.)
   */
  async #skipNewline(): Promise<void> {
    if (this.#queue.length === 0 && !this.#ended) await new Promise((resolve) => setImmediate(resolve));
    if (this.#queue.length > 1 && this.#queue.byteAt(0) === RETURN && this.#queue.byteAt(1) === NEWLINE)
      this.#take(2);
    else if (this.#queue.length > 0 && this.#queue.byteAt(0) === NEWLINE) this.#take(1);
  }
}
