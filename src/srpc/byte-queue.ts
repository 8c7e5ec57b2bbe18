/** Bytes as they arrive from a connection: chunks are kept as they came and joined only when somebody needs them so. */

/** More chunks than this, on average smaller than `SMALL`, are joined: a peer that sends single bytes costs no more. */
const MANY = 64;
const SMALL = 4096;
const EMPTY = new Uint8Array(0);

export class ByteQueue {
  #chunks: Uint8Array[] = [];
  /** Index of the first chunk that is not wholly taken, and the offset in it. */
  #first = 0;
  #offset = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const count = this.#chunks.length - this.#first;
    if (count > MANY && this.#length < count * SMALL) {
      this.#chunks = [this.peek(this.#length)];
      this.#first = 0;
      this.#offset = 0;
    }
  }

  /** The next `length` bytes as one piece (at most what is here); they stay in the queue. */
  peek(length: number): Uint8Array {
    if (length === 0) return EMPTY;
    const chunk = this.#chunks[this.#first] as Uint8Array;
    if (chunk.length - this.#offset >= length) return chunk.subarray(this.#offset, this.#offset + length);
    const joined = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    let offset = this.#offset;
    for (let index = this.#first; filled < length; index++) {
      const next = this.#chunks[index] as Uint8Array;
      const part = next.subarray(offset, offset + length - filled);
      joined.set(part, filled);
      filled += part.length;
      offset = 0;
    }
    return joined;
  }

  /** The byte at `index`, which must be here. */
  byteAt(index: number): number {
    let at = index + this.#offset;
    for (let chunk = this.#first; ; chunk++) {
      const bytes = this.#chunks[chunk] as Uint8Array;
      if (at < bytes.length) return bytes[at] as number;
      at -= bytes.length;
    }
  }

  skip(length: number): void {
    this.#length -= length;
    this.#offset += length;
    for (;;) {
      const chunk = this.#chunks[this.#first];
      if (chunk === undefined || this.#offset < chunk.length) break;
      this.#offset -= chunk.length;
      this.#chunks[this.#first++] = EMPTY;
    }
    if (this.#first === this.#chunks.length) {
      this.#chunks.length = 0;
      this.#first = 0;
    } else if (this.#first > 1024) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }

  /** Takes the next `length` bytes as one piece. */
  take(length: number): Uint8Array {
    const bytes = this.peek(length);
    this.skip(length);
    return bytes;
  }

  /** Takes the rest of the first chunk, at most `limit` bytes; nothing is copied. */
  takeSome(limit: number): Uint8Array {
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined) return EMPTY;
    const bytes = chunk.subarray(this.#offset, this.#offset + limit);
    this.skip(bytes.length);
    return bytes;
  }

  /** Index of the first such byte at or behind `from`, or -1. */
  indexOf(byte: number, from = 0): number {
    let before = -this.#offset;
    for (let index = this.#first; index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index] as Uint8Array;
      const found = chunk.indexOf(byte, Math.max(0, from - before, index === this.#first ? this.#offset : 0));
      if (found >= 0) return before + found;
      before += chunk.length;
    }
    return -1;
  }

  clear(): void {
    this.#chunks = [];
    this.#first = 0;
    this.#offset = 0;
    this.#length = 0;
  }
}
