/**
 * The listing of a tree whose inodes are encoded, as HTML text in bytes, for the server's pages: the lines of
 * `listingLines`, without an object for each inode and without a text for each line.
 */
import { ImageServerError } from '../errors.ts';
import type { EncodedInodes } from '../wire/encoded-inodes.ts';
import type { PlacedType } from '../wire/inode-places.ts';
import type { DirectoryInode } from '../wire/messages/filesystem.ts';
import { decodeText, encodeText } from '../wire/text.ts';
import { type Entries, encodedLinkCounts, entriesOf, ListedEntries } from './encoded-entries.ts';
import { ENTITY, LineBytes } from './line-bytes.ts';
import { ListedInode } from './listed-inode.ts';
import { kept, NO_SIZE, NO_TIME, ownerPrinter, sizeText, TimePrinter } from './listing.ts';
import { ListingPath, type PathEnd } from './listing-path.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT } from './mode.ts';
import type { Zone } from './zone.ts';

/** What a line takes at most beside its name and its text. */
const COLUMNS = 512;
/** Sizes of more digits are printed the slow way. */
const TEN_DIGITS = 9_999_999_999;
const SPACE = 0x20;
const COLON = 0x3a;
const column = (text: string) => Buffer.from(text, 'latin1');
const BARE = column(`${NO_SIZE} ${NO_TIME} `);
const SIZELESS = column(`${NO_SIZE} `);
const COMPUTED = column(`${'computed'.padStart(10)} ${NO_TIME} `);
const TARGET = column(' -&gt; ');
const SOURCE = column(' &lt;- ');

export interface EncodedListingOptions {
  /** The local zone if not given. */
  readonly zone?: Zone;
  /** Spells out names and targets that are not plain ASCII. */
  readonly visible?: (text: string) => string;
}

class Printer {
  readonly line = new LineBytes();
  readonly #owner = ownerPrinter();
  #ownerText = '';
  #ownerColumns = column('');
  readonly #time: TimePrinter;
  readonly #date: (day: number) => Buffer;
  #zoneName = '';
  #zone = column('');
  readonly #visible: (text: string) => string;

  constructor({ zone, visible = (text) => text }: EncodedListingOptions) {
    const time = new TimePrinter(zone);
    this.#time = time;
    this.#date = kept((day: number) => column(`${time.date(day)} `));
    this.#visible = visible;
  }

  /** Bytes as HTML text; what is not plain ASCII is spelled out. */
  #text(bytes: Uint8Array, start: number, end: number): void {
    const { line } = this;
    line.room(COLUMNS + (end - start) * ENTITY);
    if (line.escaped(bytes, start, end)) return;
    const shown = Buffer.from(encodeText(Bun.escapeHTML(this.#visible(decodeText(bytes, start, end)))));
    line.room(COLUMNS + shown.length);
    line.copy(shown);
  }
  #path(path: ListingPath): void {
    if (path.html < 0) {
      this.#text(path.bytes, 0, path.raw);
      return;
    }
    this.line.room(COLUMNS + path.html);
    this.line.copy(path.escaped, path.html);
  }
  /** The first columns; from here on there is room for all of them. */
  #owners(mode: number, links: number, uid: number, gid: number): void {
    const owner = this.#owner(mode, links, uid, gid);
    if (owner !== this.#ownerText) {
      this.#ownerText = owner;
      this.#ownerColumns = column(owner);
    }
    this.line.room(COLUMNS);
    this.line.copy(this.#ownerColumns);
  }
  #size(size: number | bigint): void {
    const { line } = this;
    if (typeof size === 'number' && size <= TEN_DIGITS) {
      line.ten(size);
      line.byte(SPACE);
    } else line.copy(column(`${sizeText(size)} `));
  }
  /** As `03 Feb 2024 04:05:06 UTC `. */
  #when(seconds: number): void {
    const { line } = this;
    const { day, second, zone } = this.#time.parts(seconds);
    line.copy(this.#date(day));
    const minute = (second / 60) | 0;
    const hour = (minute / 60) | 0;
    line.two(hour);
    line.byte(COLON);
    line.two(minute - hour * 60);
    line.byte(COLON);
    line.two(second - minute * 60);
    if (zone !== this.#zoneName) {
      this.#zoneName = zone;
      this.#zone = column(` ${zone} `);
    }
    line.copy(this.#zone);
  }

  inode({ kind }: PlacedType, inode: ListedInode, links: number, path: ListingPath): void {
    const { line } = this;
    const { uid, gid } = inode;
    const mode = kind === 'symlink' ? S_IFLNK | 0o777 : inode.mode;
    this.#owners(mode, links, uid, gid);
    if (kind === 'regular') {
      this.#size(inode.size);
      this.#when(inode.seconds);
    } else if (kind === 'special') {
      const type = mode & S_IFMT;
      const device = type === S_IFBLK || type === S_IFCHR;
      line.copy(device ? column(`${`0x${inode.size.toString(16)}`.padStart(10)} `) : SIZELESS);
      this.#when(inode.seconds);
    } else line.copy(kind === 'computed' ? COMPUTED : BARE);
    this.#path(path);
    if (kind === 'regular' && inode.size !== 0) {
      line.byte(SPACE);
      line.hash(inode.hash);
    } else if (kind === 'symlink' || kind === 'computed') {
      line.copy(kind === 'symlink' ? TARGET : SOURCE);
      this.#text(inode.text, inode.textStart, inode.textEnd);
    }
    line.end();
  }

  directory({ mode, uid, gid }: Pick<ListedInode, 'mode' | 'uid' | 'gid'>, path: ListingPath): void {
    this.#owners((mode & ~S_IFMT) | S_IFDIR, 1, uid, gid);
    this.line.copy(BARE);
    this.#path(path);
    this.line.end();
  }
}

const TOP: PathEnd = { raw: 0, html: 0 };

/** Walks the tree line by line. */
class Listing {
  readonly #links: Uint32Array;
  readonly #printer: Printer;
  readonly #inode = new ListedInode();
  readonly #path = new ListingPath();
  readonly #stack: { entries: Entries; path: PathEnd }[];

  constructor(
    private readonly inodes: EncodedInodes,
    root: DirectoryInode,
    options: EncodedListingOptions,
  ) {
    this.#links = encodedLinkCounts(inodes, root);
    this.#printer = new Printer(options);
    this.#path.enter(TOP, { bytes: column(''), start: 0, end: 0 });
    this.#printer.directory({ mode: root.Mode, uid: root.Uid, gid: root.Gid }, this.#path);
    this.#stack = [{ entries: new ListedEntries(inodes, root.EntryList), path: TOP }];
  }

  /** The next piece; undefined at the end. */
  next(): Uint8Array | undefined {
    const { line } = this.#printer;
    for (let piece = line.take(); ; piece = line.take()) {
      if (piece) return piece;
      const top = this.#stack.at(-1);
      if (!top) return line.rest();
      if (top.entries.next()) this.#entry(top.entries, top.path);
      else this.#stack.pop();
    }
  }

  #entry(entries: Entries, above: PathEnd): void {
    const { places } = this.inodes;
    const { place } = entries;
    const path = this.#path;
    path.enter(above, entries);
    const type = place < 0 ? undefined : places.typeAt(place);
    if (!type) throw new ImageServerError('INVALID_IMAGE', `no inode for: ${path.text()}`);
    this.#inode.take(places, place, type);
    if (type.kind !== 'directory') {
      this.#printer.inode(type, this.#inode, this.#links[place] as number, path);
      return;
    }
    this.#printer.directory(this.#inode, path);
    if (this.#stack.length > places.size + 1)
      throw new ImageServerError('INVALID_IMAGE', `directory cycle at: ${path.text()}`);
    const below = entriesOf(this.inodes, place) as Entries;
    this.#stack.push({ entries: below, path: { raw: path.raw, html: path.html } });
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
