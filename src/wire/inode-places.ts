/**
 * Where the inodes of an encoded image lie in its bytes: some twenty bytes of memory for each, found in one walk that
 * makes no inodes. They are decoded, or only looked at, one by one when somebody wants them.
 */
import { Cursor } from './gob/cursor.ts';
import { BufferSource, GobDecoder } from './gob/decoder.ts';
import { type Observer, planOf, type Read } from './gob/plan.ts';
import { skipValue } from './gob/skip.ts';
import type { WireTypes } from './gob/wire-types.ts';
import { DirectoryEntry, FileSystem, type GenericInode, type InodeKind } from './messages/filesystem.ts';
import { Image } from './messages/image.ts';
import { NumberColumn, NumberIndex } from './numbers.ts';
import type { MapSchema, StructSchema, UnionVariant } from './schema.ts';
import { asBuffer } from './text.ts';

/** What a field of the sender's struct is to us. Those up to Size are numbers. */
export const Part = {
  Number: 0,
  Mode: 1,
  Uid: 2,
  Gid: 3,
  Seconds: 4,
  Size: 5,
  Hash: 6,
  Text: 7,
  Entries: 8,
  Other: 9,
} as const;
const PARTS: Readonly<Record<string, number>> = {
  Mode: Part.Mode,
  Uid: Part.Uid,
  Gid: Part.Gid,
  MtimeNanoSeconds: Part.Number,
  MtimeSeconds: Part.Seconds,
  Size: Part.Size,
  Rdev: Part.Size,
  Hash: Part.Hash,
  Symlink: Part.Text,
  Source: Part.Text,
  EntryList: Part.Entries,
  Name: Part.Text,
  InodeNumber: Part.Size,
};

/** How the sender encodes a struct. */
export interface PlacedStruct {
  /** A `Part` for each of its fields. */
  readonly parts: Uint8Array;
  readonly skips: readonly Read[];
}
/** How it encodes inodes of one kind. */
export interface PlacedType extends PlacedStruct {
  /** Names of the fields in their order: with the same ones the same bytes mean the same. */
  readonly names: string;
  readonly kind: InodeKind;
  /** Of the entries of directories. */
  readonly entry: PlacedStruct | undefined;
  /** Makes the inode. */
  readonly read: Read;
}

function structOf(types: WireTypes, id: number, schema: StructSchema): PlacedStruct {
  const type = types.get(id);
  const fields = type.kind === 'struct' ? type.fields : [];
  const parts = fields.map(({ name }) =>
    schema.fields.has(name) ? (PARTS[name] ?? Part.Other) : Part.Other,
  );
  return {
    parts: Uint8Array.from(parts),
    skips: fields.map((field) => (cursor) => skipValue(types, field.id, cursor)),
  };
}

function fieldNames(types: WireTypes, id: number): string {
  const type = types.get(id);
  return type.kind === 'struct' ? type.fields.map(({ name }) => name).join() : '';
}

function entryStructOf(types: WireTypes, id: number): PlacedStruct | undefined {
  const type = types.get(id);
  const field = type.kind === 'struct' ? type.fields.find(({ name }) => name === 'EntryList') : undefined;
  const list = field && types.get(field.id);
  return list?.kind === 'slice' ? structOf(types, list.elem, DirectoryEntry) : undefined;
}

/** In place of a type: a nil; an inode that had to be made; an entry that a later one of the same number replaces. */
const NIL = 0xffff;
const MADE = 0xfffe;
const REPLACED = 0xfffd;

/** Whatever the kind: at the end of the struct that begins at the cursor. The bytes have been checked before. */
function skipStruct(cursor: Cursor, { parts, skips }: PlacedType): void {
  const { bytes, end } = cursor;
  let { at } = cursor;
  let number = -1;
  while (at < end) {
    let delta = bytes[at++] as number;
    if (delta > 127) {
      cursor.at = at - 1;
      delta = cursor.uint();
      at = cursor.at;
    }
    if (delta === 0) break;
    number += delta;
    const part = parts[number];
    if (part === Part.Hash && bytes[at] === 64) {
      at++;
      for (let index = 0; index < 64; index++) at += 1 + ((bytes[at] as number) >>> 7);
    } else if ((part as number) <= Part.Size) {
      const first = bytes[at] as number;
      at += first < 128 ? 1 : 257 - first;
    } else {
      cursor.at = at;
      (skips[number] as Read)(cursor);
      at = cursor.at;
    }
  }
  cursor.at = at;
}

export class InodePlaces implements Observer {
  readonly table = FileSystem.fields.get('InodeTable')?.schema as MapSchema;
  readonly #large = new Map<bigint, number>();
  readonly #keys = new NumberColumn(this.#large);
  #starts = new Uint32Array(1024);
  #ends = new Uint32Array(1024);
  #typeOf = new Uint16Array(1024);
  readonly #types: PlacedType[] = [];
  readonly #made = new Map<number, GenericInode>();
  #index: NumberIndex | undefined;
  /** Entries of the table. */
  size = 0;
  readonly #cursor = new Cursor();

  private constructor(readonly bytes: Buffer) {}

  /** Walks over the gob of an image, in slices; the image comes with an empty inode table. */
  static async of(bytes: Uint8Array): Promise<{ image: Image; places: InodePlaces }> {
    const places = new InodePlaces(asBuffer(bytes));
    const source = new BufferSource(bytes);
    const decoder = new GobDecoder({ next: async () => source.next() }, undefined, places);
    const image = (await decoder.decode(Image)) as Image;
    places.#settle();
    return { image, places };
  }

  #settle(): void {
    const index = new NumberIndex(this.#keys);
    this.size = this.length;
    for (let at = 0; at < this.length; at++) {
      const before = index.add(at);
      if (before < 0) continue;
      this.#starts[before] = this.#starts[at] as number;
      this.#ends[before] = this.#ends[at] as number;
      this.#typeOf[before] = this.#typeOf[at] as number;
      const made = this.#made.get(at);
      if (made) this.#made.set(before, made);
      this.#typeOf[at] = REPLACED;
      index.add(before);
      this.size--;
    }
    this.#index = index;
  }

  // As an observer

  key(cursor: Cursor): void {
    this.#keys.take(cursor);
    const at = this.length - 1;
    if (at === this.#starts.length) {
      this.#resize(at * 2);
    }
    this.#typeOf[at] = NIL;
  }
  #resize(length: number): void {
    this.#starts = new Uint32Array(this.#starts.buffer.transfer(length * 4));
    this.#ends = new Uint32Array(this.#ends.buffer.transfer(length * 4));
    this.#typeOf = new Uint16Array(this.#typeOf.buffer.transfer(length * 2));
  }
  /** Gives the memory back, that of the bytes as well: whoever uses any of it all the same finds nothing. */
  release(): void {
    this.#resize(0);
    this.#keys.release();
    this.#index?.release();
    this.#made.clear();
    (this.bytes.buffer as ArrayBuffer).transfer(0);
  }
  reader(variant: UnionVariant, types: WireTypes, id: number): Read | undefined {
    const { read } = planOf(types, id, variant.struct, variant);
    if (!read) return undefined;
    const kind = variant.tag as InodeKind;
    const entry = kind === 'directory' ? entryStructOf(types, id) : undefined;
    const type: PlacedType = {
      kind,
      entry,
      read,
      names: fieldNames(types, id),
      ...structOf(types, id, variant.struct),
    };
    const number = this.#types.push(type) - 1;
    return (cursor) => {
      const at = this.length - 1;
      const base = cursor.bytes.byteOffset - this.bytes.byteOffset;
      this.#typeOf[at] = number;
      this.#starts[at] = base + cursor.at;
      skipStruct(cursor, type);
      this.#ends[at] = base + cursor.at;
    };
  }
  built(value: unknown): void {
    this.#typeOf[this.length - 1] = MADE;
    this.#made.set(this.length - 1, value as GenericInode);
  }
  nil(): void {
    this.#typeOf[this.length - 1] = NIL;
  }
  field(): void {}
  structEnd(): void {}

  // What it is for

  /** One more than the highest place. */
  get length(): number {
    return this.#keys.length;
  }
  /** Place of an inode number, or -1. */
  find(key: bigint): number {
    const value = key <= Number.MAX_SAFE_INTEGER ? Number(key) : this.#large.get(key);
    return value === undefined || !this.#index ? -1 : this.#index.find(value);
  }
  /** The same for the number at a cursor. */
  findAt(cursor: Cursor): number {
    const { at } = cursor;
    const value = cursor.uint();
    if (value !== Number.POSITIVE_INFINITY) return this.#index?.find(value) ?? -1;
    cursor.at = at;
    return this.find(cursor.bigUint());
  }
  isThere(place: number): boolean {
    return this.#typeOf[place] !== REPLACED;
  }
  keyAt(place: number): bigint {
    const value = this.#keys.values[place] as number;
    if (value >= 0) return BigInt(value);
    for (const [large, alias] of this.#large) if (alias === value) return large;
    throw new Error('unknown number');
  }
  /** How an inode is encoded; undefined: it is not, `inodeAt` has it. */
  typeAt(place: number): PlacedType | undefined {
    return this.#types[this.#typeOf[place] as number];
  }
  isNil(place: number): boolean {
    return this.#typeOf[place] === NIL;
  }
  /** Whether the inodes at two places are encoded in the same way with the same bytes. */
  isEncodedLike(place: number, others: InodePlaces, other: number): boolean {
    const type = this.typeAt(place);
    const otherType = others.typeAt(other);
    if (!type || !otherType || type.kind !== otherType.kind || type.names !== otherType.names) return false;
    const start = this.#starts[place] as number;
    const length = (this.#ends[place] as number) - start;
    const otherStart = others.#starts[other] as number;
    if (length !== (others.#ends[other] as number) - otherStart) return false;
    const [bytes, otherBytes] = [this.bytes, others.bytes];
    for (let at = 0; at < length; at++) if (bytes[start + at] !== otherBytes[otherStart + at]) return false;
    return true;
  }
  /** A cursor on the fields of an encoded inode; until the next call of this or `inodeAt`. */
  cursorAt(place: number): Cursor {
    const cursor = this.#cursor;
    cursor.bytes = this.bytes;
    cursor.depth = 0;
    cursor.at = (this.#starts[place] as number) | 0;
    cursor.end = this.#ends[place] as number;
    cursor.memory = cursor.limits.memory;
    return cursor;
  }
  /** The inode at a place, made anew each time. */
  inodeAt(place: number): GenericInode | null {
    const type = this.typeAt(place);
    return type ? (type.read(this.cursorAt(place)) as GenericInode) : (this.#made.get(place) ?? null);
  }
}
