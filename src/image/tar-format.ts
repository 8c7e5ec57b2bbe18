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

function octal(value: bigint | number, width: number): string | undefined {
  const digits = value.toString(8);
  return value >= 0 && digits.length < width ? digits.padStart(width - 1, '0') : undefined;
}

function headerBlock(name: Buffer, member: TarMember, type: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  name.copy(block, 0, 0, 100);
  const put = (value: bigint | number, at: number, width: number) =>
    block.write(octal(value, width) ?? '0', at, 'latin1');
  put(member.mode & 0o7777, 100, 8);
  put(member.uid, 108, 8);
  put(member.gid, 116, 8);
  put(member.size, 124, 12);
  put(member.seconds, 136, 12);
  block.write(type, 156, 'latin1');
  member.link.copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  put(member.major, 329, 8);
  put(member.minor, 337, 8);
  block.fill(32, 148, 156);
  let sum = 0;
  // By index: an iterator would cost more than all the rest of a header.
  for (let index = 0; index < BLOCK; index++) sum += block[index] as number;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The header of a member, preceded by a PAX one where the plain form cannot hold it. */
export function formatHeader(member: TarMember): Buffer {
  const records: Buffer[] = [];
  const record = (key: string, value: Buffer | string) => {
    const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as Buffer), Buffer.from('\n')]);
    let length = body.length + 1;
    while (String(length).length + body.length !== length) length = String(length).length + body.length;
    records.push(Buffer.from(String(length)), body);
  };
  if (member.name.length > 100) record('path', member.name);
  if (member.link.length > 100) record('linkpath', member.link);
  if (octal(member.size, 12) === undefined) record('size', String(member.size));
  if (octal(member.uid, 8) === undefined) record('uid', String(member.uid));
  if (octal(member.gid, 8) === undefined) record('gid', String(member.gid));
  if (member.nanoseconds !== 0 || octal(member.seconds, 12) === undefined) {
    const nanos = member.seconds * 1_000_000_000n + BigInt(member.nanoseconds);
    const size = nanos < 0n ? -nanos : nanos;
    record(
      'mtime',
      `${nanos < 0n ? '-' : ''}${size / 1_000_000_000n}.${String(size % 1_000_000_000n).padStart(9, '0')}`,
    );
  }
  const plain = headerBlock(member.name, member, member.type);
  if (records.length === 0) return plain;
  const data = Buffer.concat(records);
  const none = {
    ...member,
    mode: 0o644,
    uid: 0,
    gid: 0,
    seconds: 0n,
    size: data.length,
    link: Buffer.alloc(0),
    major: 0,
    minor: 0,
  };
  return Buffer.concat([
    headerBlock(Buffer.from('PaxHeaders'), none, 'x'),
    data,
    padding(data.length),
    plain,
  ]);
}
