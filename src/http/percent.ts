/** Percent-decoding of paths and queries into names: bytes that are not UTF-8 survive as in all our texts. */
import { ImageServerError } from '../errors.ts';
import { decodeText, encodeText } from '../wire/text.ts';

/** Decodes `%41` and the like; `+` stays. Throws INVALID_REQUEST on a broken escape. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text;
  if (/%(?![0-9a-fA-F]{2})/.test(text))
    throw new ImageServerError('INVALID_REQUEST', 'broken percent-encoding');
  const bytes = Buffer.from(
    text
      .replace(/[\u0080-\uffff]/gu, (char) => encodeURIComponent(char))
      .replace(/%([0-9a-fA-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  return decodeText(bytes);
}

/** As `percentDecode`, but what cannot be decoded is taken as it is: the raw-query convention of the old pages. */
export function percentDecodeLoosely(text: string): string {
  return text.includes('%') && !/%(?![0-9a-fA-F]{2})/.test(text) ? percentDecode(text) : text;
}

const PLAIN = /^[A-Za-z0-9\-._~!$()*,:@/]*$/;

/** A name as part of a path: slashes stay, everything special is escaped. */
export function percentEncode(name: string): string {
  if (PLAIN.test(name)) return name;
  let out = '';
  for (const byte of encodeText(name)) {
    const char = String.fromCharCode(byte);
    out += byte < 0x80 && PLAIN.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}
