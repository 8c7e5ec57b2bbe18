/**
 * The listing of a tree whose inodes are encoded, as HTML text in bytes, for the server's pages: the lines of
 * `listingLines`, without an object for each inode and without a text for each line.
 */
import { ImageServerError } from '../errors.ts';
import type { EncodedInodes } from '../wire/encoded-inodes.ts';
import { type InodePlaces, Part, type PlacedType } from '../wire/inode-places.ts';
import type { DirectoryInode } from '../wire/messages/filesystem.ts';
import { decodeText, encodeText } from '../wire/text.ts';
import { type Entries, entriesOf, ListedEntries } from './encoded-entries.ts';
import { LineBytes } from './line-bytes.ts';
import { NO_SIZE, NO_TIME, ownerPrinter, sizeText, TimePrinter } from './listing.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT } from './mode.ts';
import type { Zone } from './zone.ts';

/** What a line takes at most beside its name and its text. */
const COLUMNS = 512;
/** Sizes of more digits are printed the slow way. */
const TEN_DIGITS = 9_999_999_999;
const NONE = Buffer.alloc(0);
const SLASH = 0x2f;
const COMPUTED = `${'computed'.padStart(10)} `;

/** Bytes that are shown as they are. */
const FIRST_PLAIN = 0x20;
const LAST_PLAIN = 0x7e;

export interface EncodedListingOptions {
  /** The local zone if not given. */
  readonly zone?: Zone;
  /** Spells out names and targets that are not plain ASCII. */
  readonly visible?: (text: string) => string;
}

/** What a line shows of an inode. */
class Row {
  mode = 0;
  uid = 0;
  gid = 0;
  size: number | bigint = 0;
  seconds = 0;
  readonly hash = new Uint8Array(64);
  /** Target or source, a run of bytes. */
  text: Uint8Array = NONE;
  textStart = 0;
  textEnd = 0;

  take(places: InodePlaces, place: number, { parts, skips }: PlacedType): void {
    const cursor = places.cursorAt(place);
    this.mode = this.uid = this.gid = this.size = this.seconds = 0;
    this.textStart = this.textEnd = 0;
    let hashed = false;
    for (let number = -1; cursor.at < cursor.end; ) {
      const delta = cursor.uint();
      if (delta === 0) break;
      number += delta;
      switch (parts[number]) {
        case Part.Number:
          cursor.uint();
          break;
        case Part.Mode:
          this.mode = cursor.uint();
          break;
        case Part.Uid:
          this.uid = cursor.uint();
          break;
        case Part.Gid:
          this.gid = cursor.uint();
          break;
        case Part.Seconds: {
          const { at } = cursor;
          this.seconds = cursor.int();
          if (!Number.isFinite(this.seconds)) {
            cursor.at = at;
            this.seconds = Number(cursor.bigInt());
          }
          break;
        }
        case Part.Size: {
          const { at } = cursor;
          this.size = cursor.uint();
          if (this.size === Number.POSITIVE_INFINITY) {
            cursor.at = at;
            this.size = cursor.bigUint();
          }
          break;
        }
        case Part.Hash:
          cursor.hashInto(this.hash, 0);
          hashed = true;
          break;
        case Part.Text: {
          const length = cursor.uint();
          this.text = cursor.bytes;
          this.textStart = cursor.at;
          cursor.skip(length);
          this.textEnd = cursor.at;
          break;
        }
        default:
          skips[number]?.(cursor);
      }
    }
    if (!hashed) this.hash.fill(0);
  }
}

class Printer {
  readonly line = new LineBytes();
  readonly #owner = ownerPrinter();
  readonly #time: TimePrinter;
  #day = Number.NaN;
  #date = NONE;

  readonly #visible: (text: string) => string;

  constructor({ zone, visible = (text) => text }: EncodedListingOptions) {
    this.#time = new TimePrinter(zone);
    this.#visible = visible;
  }

  /** A text, spelled out where that is needed. */
  #shown(bytes: Uint8Array, start: number, end: number): Uint8Array {
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte < FIRST_PLAIN || byte > LAST_PLAIN)
        return encodeText(this.#visible(decodeText(bytes, start, end)));
    }
    return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
  }

  #owners(mode: number, links: number, uid: number, gid: number): void {
    this.line.text(this.#owner(mode, links, uid, gid));
  }

  /** Columns without size and time. */
  #bare(mode: number, links: number, uid: number, gid: number): void {
    this.#owners(mode, links, uid, gid);
    this.line.text(`${NO_SIZE} ${NO_TIME} `);
  }
  #size(size: number | bigint): void {
    if (typeof size === 'number' && size <= TEN_DIGITS) {
      this.line.ten(size);
      this.line.byte(0x20);
    } else this.line.text(`${sizeText(size)} `);
  }
  /** As `03 Feb 2024 04:05:06 UTC`. */
  #when(seconds: number): void {
    const { line } = this;
    const { day, second, zone } = this.#time.parts(seconds);
    if (day !== this.#day) {
      this.#day = day;
      this.#date = Buffer.from(`${this.#time.date(day)} `, 'latin1');
    }
    line.copy(this.#date);
    const minute = (second / 60) | 0;
    const hour = (minute / 60) | 0;
    line.two(hour);
    line.byte(0x3a);
    line.two(minute - hour * 60);
    line.byte(0x3a);
    line.two(second - minute * 60);
    line.text(` ${zone} `);
  }

  inode({ kind }: PlacedType, row: Row, links: number, path: Uint8Array, length: number): void {
    const { line } = this;
    const { uid, gid } = row;
    const name = this.#shown(path, 0, length);
    const text = this.#shown(row.text, row.textStart, row.textEnd);
    line.begin(COLUMNS, name.length + text.length);
    const mode = kind === 'symlink' ? S_IFLNK | 0o777 : row.mode;
    if (kind === 'regular') {
      this.#owners(mode, links, uid, gid);
      this.#size(row.size);
      this.#when(row.seconds);
    } else if (kind === 'special') {
      this.#owners(mode, links, uid, gid);
      const type = mode & S_IFMT;
      const device = type === S_IFBLK || type === S_IFCHR;
      line.text(device ? `${`0x${row.size.toString(16)}`.padStart(10)} ` : `${NO_SIZE} `);
      this.#when(row.seconds);
    } else if (kind === 'computed') {
      this.#owners(mode, links, uid, gid);
      line.text(`${COMPUTED}${NO_TIME} `);
    } else this.#bare(mode, links, uid, gid);
    line.escaped(name, 0, name.length);
    if (kind === 'regular' && row.size !== 0) {
      line.byte(0x20);
      line.hash(row.hash);
    } else if (kind === 'symlink' || kind === 'computed') {
      line.text(kind === 'symlink' ? ' -&gt; ' : ' &lt;- ');
      line.escaped(text, 0, text.length);
    }
    line.end();
  }

  directory({ mode, uid, gid }: Pick<Row, 'mode' | 'uid' | 'gid'>, path: Uint8Array, length: number): void {
    const name = this.#shown(path, 0, length);
    this.line.begin(COLUMNS, name.length);
    this.#bare((mode & ~S_IFMT) | S_IFDIR, 1, uid, gid);
    this.line.escaped(name, 0, name.length);
    this.line.end();
  }
}

function linkCounts(inodes: EncodedInodes, root: DirectoryInode): Uint32Array {
  const { places } = inodes;
  const counts = new Uint32Array(places.length);
  const count = (entries: Entries | undefined) => {
    while (entries?.next())
      if (entries.place >= 0) counts[entries.place] = (counts[entries.place] as number) + 1;
  };
  count(new ListedEntries(inodes, root.EntryList));
  for (let place = 0; place < places.length; place++)
    if (places.isThere(place)) count(entriesOf(inodes, place));
  return counts;
}

/** The path so far, as bytes. */
class Path {
  bytes = Buffer.alloc(4096);
  /** A name below the first `length` bytes of the path; answers the whole length. */
  append(length: number, { bytes, start, end }: Entries): number {
    const total = length + 1 + end - start;
    if (total > this.bytes.length) {
      const longer = Buffer.alloc(total * 2);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes[length] = SLASH;
    for (let from = start, at = length + 1; from < end; from++) this.bytes[at++] = bytes[from] as number;
    return total;
  }
  text(length: number): string {
    return this.bytes.toString('utf8', 0, length);
  }
}

/** Walks the tree line by line. */
class Listing {
  readonly #links: Uint32Array;
  readonly #printer: Printer;
  readonly #row = new Row();
  readonly #path = new Path();
  readonly #stack: { entries: Entries; length: number }[];

  constructor(
    private readonly inodes: EncodedInodes,
    root: DirectoryInode,
    options: EncodedListingOptions,
  ) {
    this.#links = linkCounts(inodes, root);
    this.#printer = new Printer(options);
    this.#printer.directory({ mode: root.Mode, uid: root.Uid, gid: root.Gid }, encodeText('/'), 1);
    this.#stack = [{ entries: new ListedEntries(inodes, root.EntryList), length: 0 }];
  }

  /** The next piece; undefined at the end. */
  next(): Uint8Array | undefined {
    const { line } = this.#printer;
    for (let piece = line.take(); ; piece = line.take()) {
      if (piece) return piece;
      const top = this.#stack.at(-1);
      if (!top) return line.rest();
      if (top.entries.next()) this.#entry(top.entries, top.length);
      else this.#stack.pop();
    }
  }

  #entry(entries: Entries, above: number): void {
    const { places } = this.inodes;
    const { place } = entries;
    const length = this.#path.append(above, entries);
    const type = place < 0 ? undefined : places.typeAt(place);
    if (!type) throw new ImageServerError('INVALID_IMAGE', `no inode for: ${this.#path.text(length)}`);
    this.#row.take(places, place, type);
    if (type.kind !== 'directory') {
      this.#printer.inode(type, this.#row, this.#links[place] as number, this.#path.bytes, length);
      return;
    }
    this.#printer.directory(this.#row, this.#path.bytes, length);
    if (this.#stack.length > places.size + 1)
      throw new ImageServerError('INVALID_IMAGE', `directory cycle at: ${this.#path.text(length)}`);
    this.#stack.push({ entries: entriesOf(this.inodes, place) as Entries, length });
  }
}

/** Pieces of the listing, each line with its newline. Between two of them the inodes may be let go of and come back. */
export function* encodedListing(
  inodes: EncodedInodes,
  root: DirectoryInode,
  options: EncodedListingOptions = {},
): Generator<Uint8Array> {
  const listing = new Listing(inodes, root, options);
  for (let piece = listing.next(); piece && piece.length > 0; piece = listing.next()) yield piece;
}
