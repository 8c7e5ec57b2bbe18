/**
 * A small strict reader of DER (X.690): definite minimal lengths, low tag numbers, nothing past the end. What it does
 * not understand it refuses.
 */

import { isUtf8 } from 'node:buffer';

/** The bytes are not what they should be. */
export class DerError extends Error {}

export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  /** With tag and length. */
  readonly raw: Uint8Array;
}

export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  UTF8_STRING: 0x0c,
  NUMERIC_STRING: 0x12,
  PRINTABLE_STRING: 0x13,
  T61_STRING: 0x14,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  GENERAL_STRING: 0x1b,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** Reads the elements that stand one after another in some bytes. All methods throw DerError. */
export class DerReader {
  #at = 0;

  constructor(readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.#at >= this.bytes.length;
  }

  next(): DerElement {
    const { bytes } = this;
    const start = this.#at;
    const tag = bytes[start];
    const first = bytes[start + 1];
    if (tag === undefined || first === undefined) throw new DerError('truncated');
    if ((tag & 0x1f) === 0x1f) throw new DerError('high tag number');
    let at = start + 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 4) throw new DerError('indefinite or huge length');
      length = 0;
      for (let index = 0; index < count; index++) {
        const byte = bytes[at++];
        if (byte === undefined) throw new DerError('truncated length');
        length = length * 256 + byte;
      }
      if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError('length not minimal');
    }
    if (at + length > bytes.length) throw new DerError('length past the end');
    this.#at = at + length;
    return { tag, content: bytes.subarray(at, at + length), raw: bytes.subarray(start, at + length) };
  }

  expect(tag: number): DerElement {
    const element = this.next();
    if (element.tag !== tag) throw new DerError(`tag ${element.tag} instead of ${tag}`);
    return element;
  }

  /** The next element if it has this tag. */
  optional(tag: number): DerElement | undefined {
    return this.bytes[this.#at] === tag ? this.next() : undefined;
  }

  finish(): void {
    if (!this.done) throw new DerError('trailing bytes');
  }
}

/** Reader of the only element in `bytes`, which must have this tag. */
export function only(bytes: Uint8Array, tag: number): DerReader {
  const outer = new DerReader(bytes);
  const element = outer.expect(tag);
  outer.finish();
  return new DerReader(element.content);
}

/** Dotted text of an object identifier's content. */
export function oidText(content: Uint8Array): string {
  const arcs: bigint[] = [];
  let value = 0n;
  let begun = false;
  for (const byte of content) {
    if (!begun && byte === 0x80) throw new DerError('object identifier not minimal');
    value = value * 128n + BigInt(byte & 0x7f);
    begun = (byte & 0x80) !== 0;
    if (begun) continue;
    arcs.push(value);
    value = 0n;
  }
  const [first, ...rest] = arcs;
  if (begun || first === undefined || content.length > 128) throw new DerError('bad object identifier');
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - root * 40n, ...rest].join('.');
}

export function booleanValue(content: Uint8Array): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new DerError('bad boolean');
  return content[0] === 0xff;
}

/** An integer from 0 to 2^31-1. */
export function smallInteger(content: Uint8Array): number {
  const [first = 0, second = 0] = content;
  if (content.length === 0 || content.length > 4 || first >= 0x80) throw new DerError('bad integer');
  if (content.length > 1 && first === 0 && second < 0x80) throw new DerError('integer not minimal');
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

const TIME = /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** UTCTime or GeneralizedTime in the form certificates may use, in milliseconds since the epoch. */
export function timeValue(element: DerElement): number {
  const text = Buffer.from(element.content).toString('latin1');
  const match = TIME.exec(text);
  const digits = element.tag === TAG.UTC_TIME ? 2 : element.tag === TAG.GENERALIZED_TIME ? 4 : 0;
  if (match?.[1]?.length !== digits) throw new DerError('bad time');
  const [written = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const year = digits === 4 ? written : written < 50 ? 2000 + written : 1900 + written;
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(0).setUTCFullYear(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1000;
  const back = new Date(date);
  if (
    Number.isNaN(time) ||
    back.getUTCMonth() !== month - 1 ||
    back.getUTCDate() !== day ||
    back.getUTCHours() !== hour ||
    back.getUTCMinutes() !== minute ||
    back.getUTCSeconds() !== second
  )
    throw new DerError('bad time');
  return date;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf16 = new TextDecoder('utf-16be', { fatal: true, ignoreBOM: true });

/** Text of a string element; undefined if it is no string of a kind that we read. Throws DerError for bad bytes. */
export function stringValue({ tag, content }: DerElement): string | undefined {
  const latin = () => Buffer.from(content).toString('latin1');
  const checked = (allowed: RegExp) => {
    if (!allowed.test(latin())) throw new DerError('character not allowed in this kind of string');
    return latin();
  };
  try {
    switch (tag) {
      case TAG.UTF8_STRING:
        return utf8.decode(content);
      case TAG.T61_STRING:
      case TAG.GENERAL_STRING:
        // No issuer uses the real T.61: the bytes are UTF-8 or Latin-1.
        return isUtf8(content) ? utf8.decode(content) : latin();
      case TAG.PRINTABLE_STRING:
        // With `*` and `&`, which some issuers put there.
        return checked(/^[A-Za-z0-9 '()+,\-./:=?*&]*$/);
      case TAG.NUMERIC_STRING:
        return checked(/^[0-9 ]*$/);
      case TAG.IA5_STRING:
        // biome-ignore lint/suspicious/noControlCharactersInRegex: all seven-bit characters are allowed
        return checked(/^[\u0000-\u007f]*$/);
      case TAG.BMP_STRING:
        return utf16.decode(content).replace(/\0$/, '');
      default:
        return undefined;
    }
  } catch (error) {
    if (error instanceof DerError) throw error;
    throw new DerError('bad characters', { cause: error });
  }
}
