/** Lines of a listing put together as bytes: columns, names and hashes go straight into the piece that is sent. */

/** What Buffer has beside `write`: without parsing of the encoding's name. */
interface Writes {
  latin1Write(text: string, at: number): number;
}

const PIECE = 64 * 1024;
const NEWLINE = 10;
const SPACE = 32;
const ZERO = 48;
/** What stands for the characters that HTML gives a meaning. */
const ENTITIES: (Buffer | undefined)[] = Array(128);
for (const character of '&<>"\'') ENTITIES[character.charCodeAt(0)] = Buffer.from(Bun.escapeHTML(character));
/** The most bytes of one. */
const ENTITY = 6;

/** The two hexadecimal digits of each byte. */
const HEX = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16BE(0),
);

export class LineBytes {
  #piece = Buffer.allocUnsafeSlow(PIECE);
  #at = 0;
  readonly #full: Buffer[] = [];

  /** Room for so many bytes of columns and that many of texts that are still to be escaped. */
  begin(columns: number, texts: number): void {
    const most = columns + texts * ENTITY;
    if (this.#at + most <= this.#piece.length) return;
    this.#full.push(this.rest());
    this.#piece = Buffer.allocUnsafeSlow(Math.max(PIECE, most));
  }
  text(text: string): void {
    this.#at += (this.#piece as unknown as Writes).latin1Write(text, this.#at);
  }
  copy(bytes: Uint8Array): void {
    this.#piece.set(bytes, this.#at);
    this.#at += bytes.length;
  }
  space(): void {
    this.#piece[this.#at++] = SPACE;
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
  escaped(bytes: Uint8Array, start: number, end: number): void {
    const piece = this.#piece;
    let at = this.#at;
    for (let from = start; from < end; from++) {
      const byte = bytes[from] as number;
      const entity = ENTITIES[byte];
      if (entity) {
        piece.set(entity, at);
        at += entity.length;
      } else piece[at++] = byte;
    }
    this.#at = at;
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
