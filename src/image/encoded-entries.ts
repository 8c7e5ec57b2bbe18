/** The entries of a directory one by one, from its encoded bytes: a name is a run of bytes, an inode a place. */
import type { EncodedInodes } from '../wire/encoded-inodes.ts';
import { Part, type PlacedStruct, type PlacedType } from '../wire/inode-places.ts';
import type { DirectoryInode } from '../wire/messages/filesystem.ts';
import { asBuffer, encodeText } from '../wire/text.ts';

const NONE = Buffer.alloc(0);

/** What `next` has come to; valid until it is called again. */
export interface Entries {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Of its inode; -1 if there is none. */
  readonly place: number;
  /** Goes on to the next entry; false at the end. */
  next(): boolean;
}

/** Of a directory that is there as a value. */
export class ListedEntries implements Entries {
  readonly start = 0;
  bytes: Buffer = NONE;
  end = 0;
  place = -1;
  #at = 0;

  constructor(
    private readonly inodes: EncodedInodes,
    private readonly list: DirectoryInode['EntryList'],
  ) {}

  next(): boolean {
    const { list } = this;
    while (this.#at < list.length && list[this.#at] === null) this.#at++;
    const entry = list[this.#at++];
    if (!entry) return false;
    this.bytes = asBuffer(encodeText(entry.Name));
    this.end = this.bytes.length;
    this.place = this.inodes.places.find(entry.InodeNumber);
    return true;
  }
}

/** Of a directory in the table; the table may be let go of and come back between two calls. */
class EncodedEntries implements Entries {
  bytes: Buffer = NONE;
  start = 0;
  end = 0;
  place = -1;
  readonly #struct: PlacedStruct;
  /** Position relative to the inode's own. */
  #at = 0;
  #left = 0;

  constructor(
    private readonly inodes: EncodedInodes,
    private readonly directory: number,
    { parts, skips, entry }: PlacedType,
  ) {
    this.#struct = entry ?? { parts: new Uint8Array(0), skips: [] };
    const cursor = inodes.places.cursorAt(directory);
    const begin = cursor.at;
    for (let number = -1; entry && cursor.at < cursor.end; ) {
      const delta = cursor.uint();
      if (delta === 0) break;
      number += delta;
      if (parts[number] === Part.Entries) {
        this.#left = cursor.uint();
        this.#at = cursor.at - begin;
        break;
      }
      skips[number]?.(cursor);
    }
  }

  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    const { places } = this.inodes;
    const { parts, skips } = this.#struct;
    const cursor = places.cursorAt(this.directory);
    const begin = cursor.at;
    cursor.at += this.#at;
    this.bytes = cursor.bytes;
    this.start = 0;
    this.end = 0;
    let numbered = false;
    for (let number = -1; cursor.at < cursor.end; ) {
      const delta = cursor.uint();
      if (delta === 0) break;
      number += delta;
      const part = parts[number];
      if (part === Part.Text) {
        const length = cursor.uint();
        this.start = cursor.at;
        cursor.skip(length);
        this.end = cursor.at;
      } else if (part === Part.Size) {
        this.place = places.findAt(cursor);
        numbered = true;
      } else skips[number]?.(cursor);
    }
    if (!numbered) this.place = places.find(0n);
    this.#at = cursor.at - begin;
    return true;
  }
}

/** Entries of an inode; undefined if it is no directory. */
export function entriesOf(inodes: EncodedInodes, place: number): Entries | undefined {
  const { places } = inodes;
  const type = places.typeAt(place);
  if (type) return type.kind === 'directory' ? new EncodedEntries(inodes, place, type) : undefined;
  const inode = places.inodeAt(place);
  return inode?.Kind === 'directory' ? new ListedEntries(inodes, inode.EntryList) : undefined;
}

/** How many entries refer to the inode at each place. */
export function encodedLinkCounts(inodes: EncodedInodes, root: DirectoryInode): Uint32Array {
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
