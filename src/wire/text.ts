/**
 * Go strings are bytes. Text that is not valid UTF-8 (file names!) survives in JavaScript strings as lone surrogates:
 * byte 0x80..0xff becomes U+DC80..U+DCFF and back.
 */
import { isUtf8 } from 'node:buffer';

/** Decoders that Buffer has beside `toString`: without parsing of the encoding's name, several times as fast. */
export interface Slices {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
}

const REPLACEMENT = 0xfffd;
const ESCAPE = 0xdc00;

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The bytes from `start` to `end` as text; never fails, never loses a byte. */
export function decodeText(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const buffer = asBuffer(bytes);
  let at = start;
  while (at < end && (buffer[at] as number) < 0x80) at++;
  const slices = buffer as unknown as Slices;
  if (at === end) return slices.latin1Slice(start, end);
  return isUtf8(buffer.subarray(at, end)) ? slices.utf8Slice(start, end) : decodeBroken(buffer, start, end);
}

/** The code point of the valid UTF-8 sequence at `at`, or -1. Overlong forms and surrogates are not valid. */
function codePointAt(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return first;
  if (first < 0xc2 || first > 0xf4) return -1;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > end) return -1;
  let point = first & (0xff >> (length + 1));
  for (let offset = 1; offset < length; offset++) {
    const byte = bytes[at + offset] as number;
    if ((byte & 0xc0) !== 0x80) return -1;
    point = (point << 6) | (byte & 0x3f);
  }
  if (length === 3 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) return -1;
  return length === 4 && (point < 0x10000 || point > 0x10ffff) ? -1 : point;
}

function decodeBroken(bytes: Uint8Array, start: number, end: number): string {
  const units = new Uint16Array(end - start);
  let length = 0;
  for (let at = start; at < end; ) {
    const point = codePointAt(bytes, at, end);
    if (point < 0) units[length++] = ESCAPE | (bytes[at++] as number);
    else if (point < 0x10000) {
      units[length++] = point;
      at += point < 0x80 ? 1 : point < 0x800 ? 2 : 3;
    } else {
      units[length++] = 0xd800 + ((point - 0x10000) >> 10);
      units[length++] = 0xdc00 + ((point - 0x10000) & 0x3ff);
      at += 4;
    }
  }
  return (Buffer.from(units.buffer) as unknown as Slices).ucs2Slice(0, length * 2);
}

/** The bytes of a text made by `decodeText`, or of any other text as UTF-8 (other lone surrogates become U+FFFD). */
export function encodeText(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const bytes = Buffer.alloc(text.length * 3);
  let length = 0;
  for (const point of text) {
    const code = point.codePointAt(0) as number;
    if (code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff) bytes[length++] = code & 0xff;
    else
      length += bytes.write(
        code >= 0xd800 && code < 0xe000 ? String.fromCharCode(REPLACEMENT) : point,
        length,
        'utf8',
      );
  }
  return bytes.subarray(0, length);
}
