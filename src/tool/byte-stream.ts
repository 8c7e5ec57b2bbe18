/** Bytes that come in pieces, taken by count. */
import { ImageServerError } from '../errors.ts';

export class ByteStream {
  readonly #source: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  /** Bytes taken so far. */
  position = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Sees to it that some bytes are there; false at the end. */
  async #more(): Promise<boolean> {
    while (this.#piece.length === 0) {
      const { done, value } = await this.#source.next();
      if (done) return false;
      this.#piece = value;
    }
    return true;
  }
  #consume(length: number): Uint8Array {
    const part = this.#piece.subarray(0, length);
    this.#piece = this.#piece.subarray(part.length);
    this.position += part.length;
    return part;
  }

  /** A copy of the next `length` bytes; fewer only at the end. */
  async upTo(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length && (await this.#more())) {
      const part = this.#consume(length - filled);
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes.subarray(0, filled);
  }

  /** Exactly `length` bytes as they come. Throws `unexpected EOF`. The consumer must take all of them. */
  async *bytes(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      if (!(await this.#more())) throw new ImageServerError('INVALID_REQUEST', 'unexpected EOF');
      const part = this.#consume(left);
      left -= part.length;
      yield part;
    }
  }

  async skip(length: number): Promise<void> {
    for await (const _ of this.bytes(length));
  }

  /** The first bytes without taking them. */
  async peek(length: number): Promise<Buffer> {
    const parts: Uint8Array[] = [this.#piece];
    let found = this.#piece.length;
    while (found < length) {
      const { done, value } = await this.#source.next();
      if (done) break;
      parts.push(value);
      found += value.length;
    }
    this.#piece = Buffer.concat(parts);
    return Buffer.from(this.#piece.subarray(0, length));
  }

  /** What is left, as an iterable. */
  async *rest(): AsyncGenerator<Uint8Array> {
    while (await this.#more()) yield this.#consume(this.#piece.length);
  }
}
