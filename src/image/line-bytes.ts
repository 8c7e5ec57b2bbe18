/** Lines of a listing put together as bytes: columns, names and hashes go straight into the piece that is sent. */

const PIECE = 64 * 1024;
const NEWLINE = 10;
const SPACE = 32;
const ZERO = 48;
/** What stands for the characters that HTML gives a meaning. */
const ENTITIES: (Buffer | undefined)[] = Array(128);
for (const character of '&<>"\'') ENTITIES[character.charCodeAt(0)] = Buffer.from(Bun.escapeHTML(character));
/** The most bytes of one. */
export const ENTITY = 6;
/** Shorter runs of bytes are copied here: a call costs more. */
const SHORT = 40;
/** Bytes that are shown as they are. */
const FIRST_PLAIN = 0x20;
const LAST_PLAIN = 0x7e;

/** Puts bytes as HTML text into `into`, which has room for it. Answers where it ends; -1: they are not plain ASCII. */
export function escapeInto(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let to = at;
  for (let from = start; from < end; from++) {
    const byte = bytes[from] as number;
    if (byte < FIRST_PLAIN || byte > LAST_PLAIN) return -1;
    const entity = ENTITIES[byte];
    if (entity) {
      into.set(entity, to);
      to += entity.length;
    } else into[to++] = byte;
  }
  return to;
}

/** The two hexadecimal digits of each byte. */
const HEX = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16BE(0),
);

export class LineBytes {
  #piece = Buffer.allocUnsafeSlow(PIECE);
  #at = 0;
  readonly #full: Buffer[] = [];

  /** Room for so many bytes. */
  room(most: number): void {
    if (this.#at + most <= this.#piece.length) return;
    this.#full.push(this.rest());
    this.#piece = Buffer.allocUnsafeSlow(Math.max(PIECE, most));
  }
  copy(bytes: Buffer, length = bytes.length): void {
    const piece = this.#piece;
    let at = this.#at;
    if (length > SHORT) bytes.copy(piece, at, 0, length);
    else for (let from = 0; from < length; from++) piece[at++] = bytes[from] as number;
    this.#at += length;
  }
  /** Two decimal digits. */
  two(value: number): void {
    const ten = (value / 10) | 0;
    this.#piece[this.#at++] = ZERO + ten;
    this.#piece[this.#at++] = ZERO + value - ten * 10;
  }
  byte(byte: number): void {
    this.#piece[this.#at++] = byte;
  }
  /** A whole number at the right of ten columns. */
  ten(value: number): void {
    const piece = this.#piece;
    let at = this.#at + 10;
    let left = value;
    do {
      const rest = Math.floor(left / 10);
      piece[--at] = ZERO + left - rest * 10;
      left = rest;
    } while (left > 0);
    while (at > this.#at) piece[--at] = SPACE;
    this.#at += 10;
  }
  /** As HTML text; false, and nothing is written, if it is not plain ASCII. */
  escaped(bytes: Uint8Array, start: number, end: number): boolean {
    const at = escapeInto(this.#piece, this.#at, bytes, start, end);
    if (at < 0) return false;
    this.#at = at;
    return true;
  }
  hash(hash: Uint8Array): void {
    const piece = this.#piece;
    let at = this.#at;
    for (let index = 0; index < hash.length; index++) {
      const digits = HEX[hash[index] as number] as number;
      piece[at++] = digits >>> 8;
      piece[at++] = digits & 0xff;
    }
    this.#at = at;
  }
  end(): void {
    this.#piece[this.#at++] = NEWLINE;
  }
  /** A piece that is full, if there is one. */
  take(): Buffer | undefined {
    return this.#full.shift();
  }
  /** What has been written since; nothing the next time. */
  rest(): Buffer {
    const rest = this.#piece.subarray(0, this.#at);
    this.#piece = this.#piece.subarray(this.#at);
    this.#at = 0;
    return rest;
  }
}
