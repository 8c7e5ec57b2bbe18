/** The path of the line that is printed, as bytes: each name is looked at and escaped once, not for each path below it. */
import type { Entries } from './encoded-entries.ts';
import { ENTITY, escapeInto } from './line-bytes.ts';

const SLASH = 0x2f;

/** Where a directory's path ends in the bytes of a `ListingPath`. */
export interface PathEnd {
  readonly raw: number;
  /** -1: a name on the way is not plain ASCII. */
  readonly html: number;
}

/** With room for so many more bytes. */
function roomFor(bytes: Buffer, length: number): Buffer {
  if (length <= bytes.length) return bytes;
  const longer = Buffer.alloc(length * 2);
  longer.set(bytes);
  return longer;
}

export class ListingPath implements PathEnd {
  /** As stored. */
  bytes: Buffer = Buffer.alloc(4096);
  raw = 0;
  /** As HTML text. */
  escaped: Buffer = Buffer.alloc(4096);
  html = 0;

  /** A name below a directory. */
  enter(above: PathEnd, { bytes, start, end }: Pick<Entries, 'bytes' | 'start' | 'end'>): void {
    const length = end - start;
    this.bytes = roomFor(this.bytes, above.raw + 1 + length);
    const raw = this.bytes;
    let at = above.raw;
    raw[at++] = SLASH;
    for (let from = start; from < end; from++) raw[at++] = bytes[from] as number;
    this.raw = at;
    this.html = -1;
    if (above.html < 0) return;
    this.escaped = roomFor(this.escaped, above.html + 1 + length * ENTITY);
    this.escaped[above.html] = SLASH;
    this.html = escapeInto(this.escaped, above.html + 1, bytes, start, end);
  }
  text(): string {
    return this.bytes.toString('utf8', 0, this.raw);
  }
}
