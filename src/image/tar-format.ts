/** The tar format: headers with PAX and GNU extensions. Names are bytes. */
import { ImageServerError } from '../errors.ts';

export const BLOCK = 512;

export interface TarMember {
  readonly name: Buffer;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly seconds: bigint;
  readonly nanoseconds: number;
  readonly link: Buffer;
  readonly major: number;
  readonly minor: number;
}

const text = (field: Buffer) => {
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
};

function badHeader(): ImageServerError {
  return new ImageServerError('INVALID_REQUEST', 'archive/tar: invalid tar header');
}

/** Octal text, or big-endian binary with the top bit set. */
function number(field: Buffer): bigint {
  if ((field[0] as number) & 0x80) {
    let value = BigInt((field[0] as number) & 0x7f);
    if ((field[0] as number) & 0x40) value -= 0x80n;
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    return value;
  }
  const digits = text(field).toString('latin1').trim();
  if (digits === '') return 0n;
  if (!/^[0-7]+$/.test(digits)) throw badHeader();
  return BigInt(`0o${digits}`);
}

function sizeOf(value: number | bigint): number {
  const size = Number(value);
  if (!Number.isSafeInteger(size) || size < 0) throw badHeader();
  return size;
}

/** Some programs summed the bytes as signed ones. */
function hasChecksum(block: Buffer): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < BLOCK; index++) {
    const counted = index >= 148 && index < 156 ? 32 : (block[index] as number);
    unsigned += counted;
    signed += counted > 127 ? counted - 256 : counted;
  }
  const sum = Number(number(block.subarray(148, 156)));
  return sum === unsigned || sum === signed;
}

/** Whether a file that begins like this is an archive; an empty file or one of zeros is an empty archive. */
export function looksLikeTar(head: Buffer): boolean {
  if (head.every((byte) => byte === 0)) return head.length === 0 || head.length === BLOCK;
  try {
    return head.length === BLOCK && hasChecksum(head);
  } catch {
    return false;
  }
}

/** Reads one header block; undefined for a block of zeros. */
export function parseHeader(block: Buffer): TarMember | undefined {
  if (block[0] === 0 && block.every((byte) => byte === 0)) return undefined;
  if (!hasChecksum(block)) throw badHeader();
  const ustar = block.subarray(257, 262).toString('latin1') === 'ustar';
  const gnu = block.subarray(257, 265).toString('latin1') === 'ustar  \0';
  const prefix = ustar && !gnu ? text(block.subarray(345, 500)) : Buffer.alloc(0);
  const short = text(block.subarray(0, 100));
  return {
    name: Buffer.from(prefix.length ? Buffer.concat([prefix, Buffer.from('/'), short]) : short),
    type: String.fromCharCode((block[156] as number) || 48),
    mode: Number(number(block.subarray(100, 108))),
    uid: Number(number(block.subarray(108, 116))),
    gid: Number(number(block.subarray(116, 124))),
    size: sizeOf(number(block.subarray(124, 136))),
    seconds: number(block.subarray(136, 148)),
    nanoseconds: 0,
    link: Buffer.from(text(block.subarray(157, 257))),
    major: ustar ? Number(number(block.subarray(329, 337))) : 0,
    minor: ustar ? Number(number(block.subarray(337, 345))) : 0,
  };
}

/** Records of a PAX header: `LENGTH KEY=VALUE\n`. */
export function parsePax(data: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(32, at);
    const length = Number(data.subarray(at, space).toString('latin1'));
    const record = data.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(61);
    if (space < 0 || !(length > 0) || at + length > data.length || equals < 0) throw badHeader();
    records.set(record.subarray(0, equals).toString('utf8'), record.subarray(equals + 1));
    at += length;
  }
  return records;
}

/** `seconds[.fraction]`, also negative. */
function paxTime(value: string): { seconds: bigint; nanoseconds: number } {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(value);
  if (!match) throw badHeader();
  const whole = BigInt(match[2] as string);
  const fraction = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (!match[1]) return { seconds: whole, nanoseconds: fraction };
  return fraction === 0
    ? { seconds: -whole, nanoseconds: 0 }
    : { seconds: -whole - 1n, nanoseconds: 1_000_000_000 - fraction };
}

/** A member with what PAX records say in place of its header's fields. */
export function applyPax(member: TarMember, pax: ReadonlyMap<string, Buffer>): TarMember {
  const value = (key: string) => pax.get(key)?.toString('latin1');
  const mtime = value('mtime');
  return {
    ...member,
    ...(pax.has('path') ? { name: pax.get('path') as Buffer } : {}),
    ...(pax.has('linkpath') ? { link: pax.get('linkpath') as Buffer } : {}),
    ...(pax.has('size') ? { size: sizeOf(Number(value('size'))) } : {}),
    ...(pax.has('uid') ? { uid: Number(value('uid')) } : {}),
    ...(pax.has('gid') ? { gid: Number(value('gid')) } : {}),
    ...(mtime === undefined ? {} : paxTime(mtime)),
  };
}

/** Whether a field of so many bytes holds the number as octal digits and a zero byte. */
function fits(value: bigint | number, width: number): boolean {
  return value >= 0 && value < 8 ** (width - 1);
}

/** Digits are reckoned, not formatted: text would cost more than all the rest of a header. */
function putOctal(block: Buffer, value: bigint | number, at: number, width: number): void {
  let rest = fits(value, width) ? Number(value) : 0;
  for (let index = at + width - 2; index >= at; index--) {
    const next = Math.floor(rest / 8);
    block[index] = 48 + rest - next * 8;
    rest = next;
  }
}

/** Fills a block of zeros. */
function putHeader(block: Buffer, member: TarMember): void {
  block.set(member.name.length > 100 ? member.name.subarray(0, 100) : member.name, 0);
  putOctal(block, member.mode & 0o7777, 100, 8);
  putOctal(block, member.uid, 108, 8);
  putOctal(block, member.gid, 116, 8);
  putOctal(block, member.size, 124, 12);
  putOctal(block, member.seconds, 136, 12);
  block[156] = member.type.charCodeAt(0);
  if (member.link.length > 0) member.link.copy(block, 157, 0, 100);
  block.set(USTAR, 257);
  putOctal(block, member.major, 329, 8);
  putOctal(block, member.minor, 337, 8);
  block.fill(32, 148, 156);
  let sum = 0;
  // By index: an iterator would cost more than all the rest of a header.
  for (let index = 0; index < BLOCK; index++) sum += block[index] as number;
  putOctal(block, sum, 148, 7);
  block[154] = 0;
}

const USTAR = Buffer.from('ustar\x0000', 'latin1');
const PAX_NAME = Buffer.from('PaxHeaders');
const NONE = Buffer.alloc(0);
const ZEROS = Buffer.alloc(BLOCK);

/** Zeros that fill the last block of so many bytes. */
export function padding(size: number): Buffer {
  return ZEROS.subarray(0, paddingLength(size));
}
export function paddingLength(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** What the plain form of a header cannot hold; one character is one byte. */
export function paxRecords(member: TarMember): string {
  let records = '';
  const record = (key: string, value: string) => {
    const body = ` ${key}=${value}\n`;
    let length = body.length + 1;
    while (String(length).length + body.length !== length) length = String(length).length + body.length;
    records += `${length}${body}`;
  };
  if (member.name.length > 100) record('path', member.name.toString('latin1'));
  if (member.link.length > 100) record('linkpath', member.link.toString('latin1'));
  if (!fits(member.size, 12)) record('size', String(member.size));
  if (!fits(member.uid, 8)) record('uid', String(member.uid));
  if (!fits(member.gid, 8)) record('gid', String(member.gid));
  if (member.nanoseconds !== 0 || !fits(member.seconds, 12)) record('mtime', paxTimeText(member));
  return records;
}

function paxTimeText({ seconds, nanoseconds }: TarMember): string {
  if (seconds >= 0n) return `${seconds}.${String(nanoseconds).padStart(9, '0')}`;
  const before = -(seconds * 1_000_000_000n + BigInt(nanoseconds));
  return `-${before / 1_000_000_000n}.${String(before % 1_000_000_000n).padStart(9, '0')}`;
}

/** Bytes that go before a header with such records. */
function paxLength(records: string): number {
  return records === '' ? 0 : BLOCK + records.length + paddingLength(records.length);
}
/** Bytes of a header with such records. */
export function headerLength(records: string): number {
  return paxLength(records) + BLOCK;
}

/** Fills bytes of that length with the header of a member, preceded by a PAX one if there are records. */
export function writeHeader(bytes: Buffer, member: TarMember, records: string): void {
  const before = paxLength(records);
  bytes.fill(0);
  putHeader(before === 0 ? bytes : bytes.subarray(before), member);
  if (before === 0) return;
  putHeader(bytes.subarray(0, BLOCK), {
    name: PAX_NAME,
    type: 'x',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: records.length,
    seconds: 0n,
    nanoseconds: 0,
    link: NONE,
    major: 0,
    minor: 0,
  });
  bytes.write(records, BLOCK, 'latin1');
}

/** The header of a member, preceded by a PAX one where the plain form cannot hold it. */
export function formatHeader(member: TarMember): Buffer {
  const records = paxRecords(member);
  const bytes = Buffer.allocUnsafe(headerLength(records));
  writeHeader(bytes, member, records);
  return bytes;
}
