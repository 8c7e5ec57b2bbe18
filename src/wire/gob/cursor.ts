/** Reads gob's numbers from one message; every read checks that it stays inside. */
import { ImageServerError } from '../../errors.ts';
import { asBuffer, decodeText, type Slices } from '../text.ts';
import { type GoTime, SECONDS_TO_EPOCH } from '../time.ts';
import { DEFAULT_LIMITS, type GobLimits } from './limits.ts';

/** An error in what the peer sent; texts are those Go's decoder uses where it has one. */
export function badData(text: string): ImageServerError {
  return new ImageServerError('INVALID_REQUEST', text);
}

const view = new DataView(new ArrayBuffer(8));
const hashBytes = new Uint8Array(64);
const NO_BYTES = Buffer.alloc(0);
const NANOS = 1_000_000_000n;

export class Cursor {
  /** Always kept as an integer of 32 bits: loops over bytes take four times as long with one that may have a fraction. */
  at = 0;
  end = 0;
  bytes: Buffer = NO_BYTES;
  /** Nesting at this point of the value. */
  depth = 0;
  /** Bytes of memory that the value may still take; an estimate. */
  memory: number;

  constructor(readonly limits: GobLimits = DEFAULT_LIMITS) {
    this.memory = limits.memory;
  }

  /** Starts on another message. */
  set(bytes: Uint8Array): void {
    this.bytes = asBuffer(bytes);
    this.at = 0;
    this.end = bytes.length;
  }
  /** Starts on another value. */
  renew(): void {
    this.set(NO_BYTES);
    this.depth = 0;
    this.memory = this.limits.memory;
  }
  /** The bytes from here to the end of the message, one character each. */
  rest(): string {
    return (this.bytes as unknown as Slices).latin1Slice(this.at, this.end);
  }
  get left(): number {
    return this.end - this.at;
  }
  /** One level deeper; whoever calls it goes up again with `depth--`. */
  enter(): void {
    if (++this.depth > this.limits.maxDepth) throw badData('gob: nesting is too deep');
  }
  byte(): number {
    if (this.at >= this.end) throw badData('unexpected EOF');
    return this.bytes[this.at++] as number;
  }
  /** The bytes of a longer number; `first` is the negated count of them. */
  #width(first: number): number {
    if (first < 0xf8) throw badData('gob: encoded unsigned integer out of range');
    const width = 256 - first;
    if (this.end - this.at < width) throw badData('unexpected EOF');
    return width;
  }
  /** A number that fits 53 bits; bigger ones come as `Infinity`, which no range check lets through. */
  uint(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    const { bytes } = this;
    if (first === 0xff && this.at < this.end) return bytes[this.at++] as number;
    const stop = this.at + this.#width(first);
    let value = 0;
    while (this.at < stop) value = value * 256 + (bytes[this.at++] as number);
    return value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value;
  }
  bigUint(): bigint {
    const first = this.byte();
    if (first < 0x80) return BigInt(first);
    const width = this.#width(first);
    const { bytes } = this;
    if (width <= 6) {
      let value = 0;
      const stop = this.at + width;
      while (this.at < stop) value = value * 256 + (bytes[this.at++] as number);
      return BigInt(value);
    }
    view.setBigUint64(0, 0n);
    for (let index = 8 - width; index < 8; index++) view.setUint8(index, bytes[this.at++] as number);
    return view.getBigUint64(0);
  }
  bigInt(): bigint {
    const value = this.bigUint();
    return value & 1n ? ~(value >> 1n) : value >> 1n;
  }
  /** A signed number that fits 52 bits; others come as an infinity. */
  int(): number {
    const value = this.uint();
    if (value <= 0x7fffffff) return value & 1 ? ~(value >>> 1) : value >>> 1;
    // Not by a remainder: that of numbers beyond 32 bits takes as long as all the rest of an inode's numbers.
    const half = Math.floor(value / 2);
    return half * 2 === value ? half : -half - 1;
  }
  /** An unsigned number below `limit`; `field` is named in the error. */
  smallUint(limit: number, field: string): number {
    const value = this.uint();
    if (!(value < limit)) throw badData(`value for "${field}" out of range`);
    return value;
  }
  /** A signed number from -limit to limit - 1. */
  smallInt(limit: number, field: string): number {
    const value = this.int();
    if (!(value >= -limit && value < limit)) throw badData(`value for "${field}" out of range`);
    return value;
  }
  float(): number {
    view.setBigUint64(0, this.bigUint(), true);
    return view.getFloat64(0);
  }
  /** A count of elements in this message, each at least `each` bytes of it and about `weight` bytes of memory. */
  count(each: number, weight: number): number {
    const count = this.uint();
    if (!(count * each <= this.end - this.at))
      throw badData(`gob: decoding array or slice: length exceeds input size (${count} elements)`);
    this.spend(count * weight);
    return count;
  }
  spend(memory: number): void {
    this.memory -= memory;
    if (this.memory < 0) throw badData('gob: value takes too much memory for its length');
  }
  take(length: number): Uint8Array {
    this.skip(length);
    return this.bytes.subarray(this.at - length, this.at);
  }
  skip(length: number): void {
    if (!(length <= this.end - this.at)) throw badData('unexpected EOF');
    this.at = (this.at + length) | 0;
  }
  text(): string {
    const length = this.uint();
    // Go says 0, whatever the length.
    if (!(length <= this.end - this.at)) throw badData('gob: bad string slice length: 0');
    this.at = (this.at + length) | 0;
    return decodeText(this.bytes, this.at - length, this.at);
  }
  /** An array of 64 unsigned bytes into `into` from `offset` on. */
  hashInto(into: Uint8Array, offset: number): void {
    const { bytes, end } = this;
    let { at } = this;
    if (bytes[at++] !== 64) {
      if (at > end) throw badData('unexpected EOF');
      this.at = at - 1;
      if (this.uint() !== 64) throw badData('length mismatch in decodeArray');
      at = this.at;
    }
    const start = at;
    let unusual = 0;
    for (let index = 0; index < 64; index++) {
      // Half of the bytes have a count before them, at random: a branch would be guessed wrong all the time.
      const first = bytes[at] as number;
      const counted = first >>> 7;
      unusual |= counted * (first ^ 0xff);
      at += counted;
      into[offset + index] = bytes[at++] as number;
    }
    if (at > end || unusual !== 0) {
      this.at = start;
      for (let index = 0; index < 64; index++) into[offset + index] = this.smallUint(256, 'Hash');
      at = this.at;
    }
    this.at = at;
  }
  /** As 128 hex digits. */
  hash(): string {
    this.hashInto(hashBytes, 0);
    return hashBytes.toHex();
  }
  /** Go's binary time: version 1, or 2 whose zone has odd seconds. */
  time(): GoTime {
    const length = this.uint();
    this.skip(length);
    const { bytes } = this;
    const start = this.at - length;
    const version = bytes[start];
    if ((version !== 1 && version !== 2) || length !== 14 + version)
      throw badData(length === 0 ? 'Time.UnmarshalBinary: no data' : 'Time.UnmarshalBinary: invalid data');
    const seconds = bytes.readBigInt64BE(start + 1) - SECONDS_TO_EPOCH;
    const minutes = bytes.readInt16BE(start + 13);
    const odd = version === 2 ? (bytes[start + 15] as number) : 0;
    return {
      unixNanos: seconds * NANOS + BigInt(bytes.readInt32BE(start + 9)),
      offset: minutes === -1 && version === 1 ? undefined : minutes * 60 + odd,
    };
  }
}
