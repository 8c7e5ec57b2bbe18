/**
 * What comes in on a connection: lines, gob messages and raw bytes share one buffer. Answers at once when the bytes are
 * here already; pauses the socket when nobody reads.
 */
import type { Socket } from 'node:net';
import { ImageServerError } from '../errors.ts';
import { badData } from '../wire/gob/cursor.ts';
import type { MessageSource } from '../wire/gob/decoder.ts';

/** Bytes buffered before the socket is paused. */
const HIGH_WATER = 1024 * 1024;
/** Largest gob message, bytes. */
const MAX_MESSAGE = 256 * 1024 * 1024;
/** Longest method line, bytes. */
const MAX_LINE = 4096;
const NEWLINE = 10;
/** Chunks handed out for raw runs are at most this big. */
const MAX_CHUNK = 1024 * 1024;

export class SocketReader implements MessageSource {
  readonly #socket: Socket;
  #chunks: Uint8Array[] = [];
  /** Offset of the first unread byte in the first chunk. */
  #offset = 0;
  #buffered = 0;
  #ended = false;
  #failure: Error | undefined;
  #paused = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, initial?: Uint8Array) {
    this.#socket = socket;
    if (initial?.length) this.#push(initial);
    socket.on('data', (chunk: Uint8Array) => this.#push(chunk));
    const end = () => {
      this.#ended = true;
      this.#wakeUp();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', (error) => {
      this.#failure = error;
      end();
    });
  }

  /** The peer will send nothing more (what is buffered may still be read). */
  get ended(): boolean {
    return this.#ended;
  }
  get buffered(): number {
    return this.#buffered;
  }
  get failure(): Error | undefined {
    return this.#failure;
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered > HIGH_WATER && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    }
    this.#wakeUp();
  }
  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
  #consume(length: number): void {
    this.#buffered -= length;
    this.#offset += length;
    while (this.#chunks.length > 0 && this.#offset >= (this.#chunks[0] as Uint8Array).length) {
      this.#offset -= (this.#chunks[0] as Uint8Array).length;
      this.#chunks.shift();
    }
    if (this.#paused && this.#buffered < HIGH_WATER / 2) {
      this.#paused = false;
      this.#socket.resume();
    }
  }
  /** Waits for more bytes; false if none will come. */
  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    // A reader that wants more than the high-water mark must not wait on a paused socket.
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
    const before = this.#buffered;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return this.#buffered > before || !this.#ended;
  }

  /** The first `length` unread bytes as one piece, which stays valid. */
  #peek(length: number): Uint8Array {
    const first = this.#chunks[0] as Uint8Array;
    if (first.length - this.#offset >= length) return first.subarray(this.#offset, this.#offset + length);
    const joined = Buffer.allocUnsafe(length);
    let filled = 0;
    let offset = this.#offset;
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(offset, offset + length - filled);
      joined.set(part, filled);
      filled += part.length;
      offset = 0;
      if (filled === length) break;
    }
    return joined;
  }

  /** Bytes until and with the newline, if it is buffered. */
  #lineLength(): number {
    let scanned = 0;
    let offset = this.#offset;
    for (const chunk of this.#chunks) {
      const found = chunk.indexOf(NEWLINE, offset);
      if (found >= 0) return scanned + found - offset + 1;
      scanned += chunk.length - offset;
      offset = 0;
    }
    return -1;
  }

  /** The next line without its newline; undefined at the end of the stream. Throws for lines that are too long. */
  readLine(): string | undefined | Promise<string | undefined> {
    const length = this.#lineLength();
    if (length < 0) return this.#lineLater();
    return this.#line(length);
  }
  #line(length: number): string {
    if (length > MAX_LINE) throw new ImageServerError('TOO_LARGE', 'line is too long');
    const line = Buffer.from(this.#peek(length).subarray(0, length - 1)).toString('utf8');
    this.#consume(length);
    return line;
  }
  async #lineLater(): Promise<string | undefined> {
    for (;;) {
      if (this.#buffered > MAX_LINE) throw new ImageServerError('TOO_LARGE', 'line is too long');
      if (!(await this.#more())) return undefined;
      const length = this.#lineLength();
      if (length >= 0) return this.#line(length);
    }
  }

  /** Payload of the next gob message. */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (this.#buffered === 0) return this.#messageLater();
    const count = this.#messageCount();
    if (!count || this.#buffered < count.head + count.size) return this.#messageLater();
    return this.#message(count);
  }
  /** Size of the next message and of its count, if the count is buffered. */
  #messageCount(): { head: number; size: number } | undefined {
    const first = this.#peek(1)[0] as number;
    if (first < 0x80) return { head: 1, size: first };
    if (first < 0xf8) throw badData('gob: invalid message length');
    const width = 256 - first;
    if (this.#buffered < 1 + width) return undefined;
    let size = 0;
    for (const byte of this.#peek(1 + width).subarray(1)) size = size * 256 + byte;
    if (size > MAX_MESSAGE) throw badData('invalid message length');
    return { head: 1 + width, size };
  }
  #message({ head, size }: { head: number; size: number }): Uint8Array {
    this.#consume(head);
    if (size === 0) return new Uint8Array(0);
    const message = this.#peek(size);
    this.#consume(size);
    return message;
  }
  async #messageLater(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (!(await this.#more())) {
        if (this.#buffered === 0) return undefined;
        throw badData('unexpected EOF');
      }
      if (this.#buffered === 0) continue;
      const count = this.#messageCount();
      if (count && this.#buffered >= count.head + count.size) return this.#message(count);
    }
  }

  /** Exactly `length` bytes in one piece. Throws `unexpected EOF`. */
  async take(length: number): Promise<Uint8Array> {
    while (this.#buffered < length) if (!(await this.#more())) throw badData('unexpected EOF');
    if (length === 0) return new Uint8Array(0);
    const bytes = this.#peek(length);
    this.#consume(length);
    return bytes;
  }

  /** Exactly `length` bytes in pieces as they come. Throws `unexpected EOF`. */
  async *bytes(length: number): AsyncGenerator<Uint8Array> {
    let left = length;
    while (left > 0) {
      while (this.#buffered === 0) if (!(await this.#more())) throw badData('unexpected EOF');
      const first = this.#chunks[0] as Uint8Array;
      const piece = first.subarray(this.#offset, this.#offset + Math.min(left, MAX_CHUNK));
      this.#consume(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** One JSON value's text; undefined at the end of the stream. Takes a newline behind it if that is here already. */
  async json(maxBytes: number): Promise<string | undefined> {
    let depth = 0;
    let inString = false;
    let escaped = false;
    let started = false;
    let scanned = 0;
    for (;;) {
      while (scanned >= this.#buffered) {
        if (!(await this.#more())) {
          if (this.#buffered === 0) return undefined;
          throw badData('unexpected EOF');
        }
      }
      if (this.#buffered > maxBytes) throw new ImageServerError('TOO_LARGE', 'JSON value is too big');
      const text = this.#peek(this.#buffered);
      for (; scanned < text.length; scanned++) {
        const byte = text[scanned] as number;
        if (inString) {
          if (escaped) escaped = false;
          else if (byte === 0x5c) escaped = true;
          else if (byte === 0x22) inString = false;
        } else if (byte === 0x22) inString = started = true;
        else if (byte === 0x7b || byte === 0x5b) {
          depth++;
          started = true;
        } else if (byte === 0x7d || byte === 0x5d) depth--;
        else if (byte === NEWLINE && started && depth <= 0) break;
        else if (byte > 0x20) started = true;
        if (started && depth <= 0 && !inString && (byte === 0x7d || byte === 0x5d || byte === 0x22)) {
          scanned++;
          break;
        }
      }
      const complete = started && depth <= 0 && !inString;
      if (!complete) continue;
      const value = Buffer.from(text.subarray(0, scanned)).toString('utf8');
      this.#consume(scanned);
      if (this.#buffered > 0 && this.#peek(1)[0] === NEWLINE) this.#consume(1);
      return value;
    }
  }
}
