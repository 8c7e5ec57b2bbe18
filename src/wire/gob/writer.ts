/** A growing buffer with gob's numbers: unsigned, signed, floats, byte strings, hashes, times. */
import { ImageServerError } from '../../errors.ts';
import { encodeText } from '../text.ts';
import { type GoTime, SECONDS_TO_EPOCH } from '../time.ts';

const scratch = new DataView(new ArrayBuffer(8));
/** What Buffer has beside `write`: without parsing of the encoding's name, several times as fast. */
const hashBytes = Buffer.alloc(64) as Buffer & {
  hexWrite(text: string, offset: number, length: number): number;
};
const NANOS = 1_000_000_000n;

/** Most bytes a number takes. */
export const NUMBER_BYTES = 9;
/** Most bytes a hash takes. */
export const HASH_BYTES = 130;
/** Most bytes a time takes. */
export const TIME_BYTES = 17;

export class GobWriter {
  buffer: Buffer;
  length = 0;

  constructor(size = 256) {
    this.buffer = Buffer.allocUnsafe(size);
  }

  reserve(extra: number): void {
    const wanted = this.length + extra;
    if (wanted <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(wanted, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }
  raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.reserve(length);
    // A call of `set` costs more than a few bytes do.
    if (length > 64) this.buffer.set(bytes, this.length);
    else
      for (let index = 0; index < length; index++) this.buffer[this.length + index] = bytes[index] as number;
    this.length += length;
  }
  /** One byte up to 127; else the negated byte count and the value big-endian. At most 2^53 - 1. */
  uint(value: number): void {
    this.reserve(NUMBER_BYTES);
    const { buffer } = this;
    if (value < 128) {
      buffer[this.length++] = value;
      return;
    }
    if (value > 0xffffffff) {
      this.bigUint(BigInt(value));
      return;
    }
    const width = value < 0x100 ? 1 : value < 0x10000 ? 2 : value < 0x1000000 ? 3 : 4;
    buffer[this.length++] = 256 - width;
    for (let shift = (width - 1) * 8; shift >= 0; shift -= 8)
      buffer[this.length++] = (value >>> shift) & 0xff;
  }
  bigUint(value: bigint): void {
    if (value < 0x1_0000_0000n) {
      this.uint(Number(value));
      return;
    }
    scratch.setBigUint64(0, value);
    let first = 0;
    while (scratch.getUint8(first) === 0) first++;
    this.reserve(NUMBER_BYTES);
    this.buffer[this.length++] = 256 - (8 - first);
    for (; first < 8; first++) this.buffer[this.length++] = scratch.getUint8(first);
  }
  /** Shifted left, complemented with the low bit set if negative. */
  int(value: number): void {
    if (value >= -0x40000000 && value < 0x40000000) this.uint(value < 0 ? (~value << 1) | 1 : value << 1);
    else this.bigInt(BigInt(value));
  }
  bigInt(value: bigint): void {
    if (value >= -0x40000000n && value < 0x40000000n) this.int(Number(value));
    else this.bigUint(BigInt.asUintN(64, value < 0n ? (~value << 1n) | 1n : value << 1n));
  }
  /** IEEE double, byte-reversed. */
  float(value: number): void {
    scratch.setFloat64(0, value);
    this.bigUint(scratch.getBigUint64(0, true));
  }
  bytes(value: Uint8Array): void {
    this.uint(value.length);
    this.raw(value);
  }
  text(value: string): void {
    const size = value.length;
    if (size < 128) {
      this.reserve(size + 1);
      const { buffer } = this;
      const start = this.length + 1;
      buffer[start - 1] = size;
      let at = 0;
      for (; at < size; at++) {
        const code = value.charCodeAt(at);
        if (code >= 0x80) break;
        buffer[start + at] = code;
      }
      if (at === size) {
        this.length = start + size;
        return;
      }
    }
    this.bytes(encodeText(value));
  }
  /** 128 hex digits as an array of 64 unsigned bytes. */
  hash(value: string): void {
    this.reserve(HASH_BYTES);
    if (value.length !== 128 || hashBytes.hexWrite(value, 0, 64) !== 64)
      throw new ImageServerError('INVALID_REQUEST', 'not a SHA-512 in hexadecimal');
    const { buffer } = this;
    let at = this.length;
    buffer[at++] = 64;
    for (let index = 0; index < 64; index++) {
      // Half of a hash's bytes need a count before them, at random: a branch would be guessed wrong all the time.
      const byte = hashBytes[index] as number;
      buffer[at] = 0xff;
      at += byte >>> 7;
      buffer[at++] = byte;
    }
    this.length = at;
  }
  /** Go's binary form of a time: version 1, or 2 if the zone has odd seconds. With its length. */
  time({ unixNanos, offset }: GoTime): void {
    let seconds = unixNanos / NANOS;
    let nanos = unixNanos % NANOS;
    if (nanos < 0n) {
      seconds -= 1n;
      nanos += NANOS;
    }
    const odd = offset === undefined ? 0 : offset % 60;
    this.reserve(TIME_BYTES);
    const { buffer } = this;
    let at = this.length;
    buffer[at++] = odd ? 16 : 15;
    buffer[at++] = odd ? 2 : 1;
    at = buffer.writeBigInt64BE(BigInt.asIntN(64, seconds + SECONDS_TO_EPOCH), at);
    at = buffer.writeInt32BE(Number(nanos), at);
    at = buffer.writeInt16BE(offset === undefined ? -1 : Math.trunc(offset / 60), at);
    if (odd) at = buffer.writeInt8(odd, at);
    this.length = at;
  }
  /** A copy of what was written. */
  take(): Uint8Array {
    return new Uint8Array(this.buffer.subarray(0, this.length));
  }
}
