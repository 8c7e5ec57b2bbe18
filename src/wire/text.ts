/**
 * Go strings are bytes. Text that is not valid UTF-8 (file names!) survives in JavaScript strings as lone surrogates:
 * byte 0x80..0xff becomes U+DC80..U+DCFF and back.
 */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lax = new TextDecoder('utf-8', { ignoreBOM: true });
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Length in bytes of the valid UTF-8 sequence at `at`, or 0. */
function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first < 0xe0
      ? 2
      : first >= 0xe0 && first < 0xf0
        ? 3
        : first >= 0xf0 && first < 0xf5
          ? 4
          : 0;
  if (length === 0 || at + length > end) return 0;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}

function decodeBroken(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; ) {
    const length = sequenceLength(bytes, at, end);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 | (bytes[at] as number));
      at++;
    } else {
      text += lax.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return text;
}

/** The bytes from `start` to `end` as text; never fails, never loses a byte. */
export function decodeText(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (end - start <= 48) {
    let text = '';
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (at === end) return text;
  }
  const part = bytes.subarray(start, end);
  const text = lax.decode(part);
  return text.includes('\ufffd') && !isValid(part) ? decodeBroken(bytes, start, end) : text;
}

function isValid(part: Uint8Array): boolean {
  try {
    strict.decode(part);
    return true;
  } catch {
    return false;
  }
}

/** The bytes of a text made by `decodeText`, or of any other text as UTF-8. */
export function encodeText(text: string): Uint8Array {
  if (!LONE.test(text)) return Buffer.from(text, 'utf8');
  const parts: Uint8Array[] = [];
  for (const point of text) {
    const code = point.codePointAt(0) as number;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Uint8Array.of(code & 0xff) : Buffer.from(point, 'utf8'));
  }
  return Buffer.concat(parts);
}
