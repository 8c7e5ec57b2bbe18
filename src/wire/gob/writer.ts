/** A growing buffer with gob's numbers: unsigned, signed, floats, byte strings. */
import { encodeText } from '../text.ts';

const scratch = new DataView(new ArrayBuffer(8));

export class GobWriter {
  buffer = new Uint8Array(256);
  length = 0;

  reserve(extra: number): void {
    const wanted = this.length + extra;
    if (wanted <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
  byte(value: number): void {
    if (this.length === this.buffer.length) this.reserve(1);
    this.buffer[this.length++] = value;
  }
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }
  /** One byte up to 127; else the negated byte count and the value big-endian. */
  uint(value: number): void {
    if (value < 128) {
      this.byte(value);
      return;
    }
    if (value > 0xffffffff) {
      this.bigUint(BigInt(value));
      return;
    }
    this.reserve(5);
    const width = value < 0x100 ? 1 : value < 0x10000 ? 2 : value < 0x1000000 ? 3 : 4;
    this.buffer[this.length++] = 256 - width;
    for (let shift = (width - 1) * 8; shift >= 0; shift -= 8)
      this.buffer[this.length++] = (value >>> shift) & 0xff;
  }
  bigUint(value: bigint): void {
    if (value < 0x1_0000_0000n) {
      this.uint(Number(value));
      return;
    }
    scratch.setBigUint64(0, value);
    let first = 0;
    while (scratch.getUint8(first) === 0) first++;
    this.reserve(9);
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
    const reversed = scratch.getBigUint64(0, true);
    this.bigUint(reversed);
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
      const start = this.length;
      buffer[start] = size;
      let at = 0;
      for (; at < size; at++) {
        const code = value.charCodeAt(at);
        if (code >= 0x80) break;
        buffer[start + 1 + at] = code;
      }
      if (at === size) {
        this.length = start + 1 + size;
        return;
      }
    }
    this.bytes(encodeText(value));
  }
  /** A copy of what was written. */
  take(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}
