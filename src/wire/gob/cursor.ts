/** Reads gob's numbers from one message; every read checks that it stays inside. */
import { ImageServerError } from '../../errors.ts';

/** An error in what the peer sent; texts are those Go's decoder uses where it has one. */
export function badData(text: string): ImageServerError {
  return new ImageServerError('INVALID_REQUEST', text);
}

const view = new DataView(new ArrayBuffer(8));

export class Cursor {
  at = 0;
  end = 0;
  bytes: Uint8Array = new Uint8Array(0);

  /** Starts on another message. */
  set(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }
  get left(): number {
    return this.end - this.at;
  }
  byte(): number {
    if (this.at >= this.end) throw badData('unexpected EOF');
    return this.bytes[this.at++] as number;
  }
  /** A number that fits 53 bits; bigger ones come as `Infinity`, which no range check lets through. */
  uint(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    if (first < 0xf8) throw badData('gob: encoded unsigned integer out of range');
    const width = 256 - first;
    if (this.left < width) throw badData('unexpected EOF');
    let value = 0;
    for (let index = 0; index < width; index++) value = value * 256 + (this.bytes[this.at++] as number);
    return value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value;
  }
  bigUint(): bigint {
    const first = this.byte();
    if (first < 0x80) return BigInt(first);
    if (first < 0xf8) throw badData('gob: encoded unsigned integer out of range');
    const width = 256 - first;
    if (this.left < width) throw badData('unexpected EOF');
    if (width <= 6) {
      let value = 0;
      for (let index = 0; index < width; index++) value = value * 256 + (this.bytes[this.at++] as number);
      return BigInt(value);
    }
    view.setBigUint64(0, 0n);
    for (let index = 8 - width; index < 8; index++) view.setUint8(index, this.bytes[this.at++] as number);
    return view.getBigUint64(0);
  }
  bigInt(): bigint {
    const value = this.bigUint();
    return value & 1n ? ~(value >> 1n) : value >> 1n;
  }
  int(): number {
    const value = this.uint();
    if (value <= 0x7fffffff) return value & 1 ? ~(value >>> 1) : value >>> 1;
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }
  float(): number {
    view.setBigUint64(0, this.bigUint(), true);
    return view.getFloat64(0);
  }
  /** A count of elements or bytes; `each` is the least number of bytes an element takes. */
  count(each: number, what: string): number {
    const count = this.uint();
    if (count * each > this.left) throw badData(`gob: bad ${what} length: ${count}`);
    return count;
  }
  take(length: number): Uint8Array {
    if (length > this.left) throw badData('unexpected EOF');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}
