/**
 * Walks over the inode table of an encoded image without making inodes: what a summary needs goes into typed arrays.
 * Works on the sender's own field order, ids and unknown fields, and refuses what a decoder would refuse.
 */
import { badData, type Cursor } from './gob/cursor.ts';
import { planOf, type Read } from './gob/plan.ts';
import { skipValue } from './gob/skip.ts';
import type { WireTypes } from './gob/wire-types.ts';
import {
  DirectoryEntry,
  type DirectoryInode,
  type GenericInode,
  type InodeKind,
} from './messages/filesystem.ts';
import { NumberColumn } from './numbers.ts';
import type { StructSchema, UnionVariant, ValueOf } from './schema.ts';

/** What to do with a field of the sender's struct. */
const NUMBER32 = 1;
const NUMBER64 = 3;
const SIZE = 4;
const HASH = 5;
const TEXT = 6;
const ENTRIES = 7;
const OTHER = 8;

/** What a directory entry takes here, bytes. */
const ENTRY = 12;

interface FieldActions {
  readonly kinds: Uint8Array;
  /** For OTHER: reads the value, which is dropped. */
  readonly others: readonly (Read | undefined)[];
}

export const KINDS: readonly InodeKind[] = ['regular', 'computed', 'symlink', 'special', 'directory'];

export class InodeWalk {
  /** Numbers beyond 53 bits and what stands for them. */
  readonly large = new Map<bigint, number>();
  /** Inode numbers of the table. */
  readonly keys = new NumberColumn(this.large);
  /** Index into KINDS for each key; KINDS.length for nil. */
  kinds = new Uint8Array(1024);
  /** Inode numbers of all directory entries, directory by directory. */
  readonly entries = new NumberColumn(this.large);
  /** For each directory in the order met: index of its key, and of its first entry. */
  readonly directories: number[] = [];
  readonly firstEntries: number[] = [];
  hashes = new Uint8Array(64 * 256);
  sizes = new Float64Array(256);
  objects = 0;
  dataBytes = 0;
  readonly counts = { regular: 0, computed: 0, symlink: 0, special: 0, directory: 0 };
  readonly problems: string[] = [];

  problem(text: string): void {
    if (this.problems.length < 10) this.problems.push(text);
  }

  key(cursor: Cursor): void {
    this.keys.take(cursor);
    if (this.keys.length > this.kinds.length) {
      const grown = new Uint8Array(this.kinds.length * 2);
      grown.set(this.kinds);
      this.kinds = grown;
    }
    this.kinds[this.keys.length - 1] = KINDS.length;
  }
  nil(): void {
    this.problem(`nil entry in inode table: ${this.numberOf(this.keys, this.keys.length - 1)}`);
  }

  /** The number itself, for messages. */
  numberOf(column: NumberColumn, index: number): string {
    const value = column.values[index] as number;
    if (value >= 0) return String(value);
    for (const [large, alias] of this.large) if (alias === value) return String(large);
    return '?';
  }

  /** The function that walks over inodes of one kind as the sender encodes them. */
  reader(variant: UnionVariant, types: WireTypes, id: number): Read | undefined {
    // Making the plan checks that the types fit.
    if (!planOf(types, id, variant.struct, variant).read) return undefined;
    const kind = KINDS.indexOf(variant.tag as InodeKind);
    const actions = this.#actions(types, id, variant.struct);
    const regular = variant.tag === 'regular';
    const directory = variant.tag === 'directory';
    const name = variant.tag as InodeKind;
    return (cursor) => {
      this.kinds[this.keys.length - 1] = kind;
      this.counts[name]++;
      if (directory) this.beginDirectory(this.keys.length - 1);
      if (regular) this.#regular(cursor, actions);
      else this.#walk(cursor, actions);
    };
  }

  /** An inode that could not be walked over: its type has an interface that we do not know. */
  built(value: unknown): void {
    const inode = value as GenericInode;
    this.kinds[this.keys.length - 1] = KINDS.indexOf(inode.Kind);
    this.counts[inode.Kind]++;
    if (inode.Kind === 'directory') this.directory(this.keys.length - 1, inode);
    if (inode.Kind !== 'regular' || inode.Size === 0n) return;
    this.#reserveObject();
    this.hashes.set(Buffer.from(inode.Hash, 'hex'), this.objects * 64);
    this.sizes[this.objects++] = Number(inode.Size);
    this.dataBytes += Number(inode.Size);
  }

  /** A directory that is there as a value. */
  directory(keyIndex: number, directory: DirectoryInode): void {
    this.beginDirectory(keyIndex);
    for (const { Name, InodeNumber } of directory.EntryList as ValueOf<typeof DirectoryEntry>[]) {
      this.entries.addBig(InodeNumber);
      if (Name === '' || Name === '.' || Name === '..' || Name.includes('/') || Name.includes('\0'))
        this.#badName(Name);
    }
  }

  beginDirectory(keyIndex: number): void {
    this.directories.push(keyIndex);
    this.firstEntries.push(this.entries.length);
  }

  #actions(types: WireTypes, id: number, schema: StructSchema): FieldActions {
    const type = types.get(id);
    const fields = type.kind === 'struct' ? type.fields : [];
    const kinds = new Uint8Array(fields.length);
    const others: (Read | undefined)[] = [];
    fields.forEach((field, index) => {
      const local = schema.fields.get(field.name)?.schema;
      if (local?.kind === 'hash' && field.name === 'Hash') kinds[index] = HASH;
      else if ((local?.kind === 'int' || local?.kind === 'uint') && local.bits === 32) {
        kinds[index] = NUMBER32;
        others[index] = planOf(types, field.id, local).read;
      } else if (local?.kind === 'uint' && field.name === 'Size') kinds[index] = SIZE;
      else if ((local?.kind === 'int' || local?.kind === 'uint') && local.bits === 64)
        kinds[index] = NUMBER64;
      else if (local?.kind === 'string') kinds[index] = TEXT;
      else if (field.name === 'EntryList' && schema.fields.has('EntryList')) {
        kinds[index] = ENTRIES;
        const list = types.get(field.id);
        others[index] = this.#entryReader(types, list.kind === 'slice' ? list.elem : 0);
      } else {
        kinds[index] = OTHER;
        others[index] = local
          ? planOf(types, field.id, local).read
          : (cursor) => skipValue(types, field.id, cursor);
      }
    });
    return { kinds, others };
  }

  /** Room for one more object; a hash may then be read into its place. */
  #reserveObject(): void {
    if (this.objects < this.sizes.length) return;
    const hashes = new Uint8Array(this.hashes.length * 2);
    hashes.set(this.hashes);
    this.hashes = hashes;
    const sizes = new Float64Array(this.sizes.length * 2);
    sizes.set(this.sizes);
    this.sizes = sizes;
  }

  #regular(cursor: Cursor, actions: FieldActions): void {
    this.#reserveObject();
    this.#size = 0;
    this.#hashed = false;
    this.#walk(cursor, actions);
    if (this.#size === 0) return;
    if (!this.#hashed) this.hashes.fill(0, this.objects * 64, this.objects * 64 + 64);
    this.sizes[this.objects++] = this.#size;
    this.dataBytes += this.#size;
  }
  #size = 0;
  #hashed = false;

  /** The position is kept in a local variable: this loop is where an image's scan spends its time. */
  #walk(cursor: Cursor, { kinds, others }: FieldActions): void {
    const { bytes, end } = cursor;
    let { at } = cursor;
    let number = -1;
    while (at < end) {
      const delta = bytes[at++] as number;
      if (delta === 0) break;
      if (delta > 127) throw badData('gob: bad data: field numbers out of bounds');
      number += delta;
      switch (kinds[number]) {
        case NUMBER32: {
          const first = bytes[at] as number;
          // A number of at most four bytes is in range, signed or not.
          if (first < 128) at++;
          else if (first >= 0xfc) at += 257 - first;
          else {
            // More bytes than needed, or too large.
            cursor.at = at;
            (others[number] as Read)(cursor);
            at = cursor.at;
          }
          break;
        }
        case NUMBER64: {
          const first = bytes[at] as number;
          if (first < 128) at++;
          else if (first >= 0xf8) at += 257 - first;
          else {
            cursor.at = at;
            cursor.uint();
          }
          break;
        }
        case SIZE: {
          cursor.at = at;
          this.#size = cursor.uint();
          if (this.#size === Number.POSITIVE_INFINITY) {
            cursor.at = at;
            this.#size = Number(cursor.bigUint());
          }
          at = cursor.at;
          break;
        }
        case HASH:
          cursor.at = at;
          cursor.hashInto(this.hashes, this.objects * 64);
          at = cursor.at;
          this.#hashed = true;
          break;
        case TEXT:
          cursor.at = at;
          cursor.skip(cursor.uint());
          at = cursor.at;
          break;
        case ENTRIES:
        case OTHER:
          cursor.at = at;
          (others[number] as Read)(cursor);
          at = cursor.at;
          break;
        default:
          throw badData('gob: bad data: field numbers out of bounds');
      }
    }
    if (at > end) throw badData('unexpected EOF');
    cursor.at = at;
  }

  #entryReader(types: WireTypes, id: number): Read {
    const type = types.get(id);
    const fields = type.kind === 'struct' ? type.fields : [];
    const actions = fields.map(({ name }) =>
      name === 'Name' ? TEXT : name === 'InodeNumber' ? NUMBER64 : OTHER,
    );
    const kinds = Uint8Array.from(actions);
    const others = fields.map((field, index): Read | undefined =>
      actions[index] === OTHER && !DirectoryEntry.fields.has(field.name)
        ? (cursor) => skipValue(types, field.id, cursor)
        : undefined,
    );
    return (cursor) => {
      const count = cursor.count(1, ENTRY);
      for (let index = 0; index < count; index++) {
        if (cursor.at >= cursor.end) throw badData('unexpected EOF');
        this.#entry(cursor, kinds, others);
      }
    };
  }

  #entry(cursor: Cursor, kinds: Uint8Array, others: readonly (Read | undefined)[]): void {
    const { bytes, end } = cursor;
    let { at } = cursor;
    let number = -1;
    let named = false;
    let numbered = false;
    while (at < end) {
      const delta = bytes[at++] as number;
      if (delta === 0) break;
      if (delta > 127) throw badData('gob: bad data: field numbers out of bounds');
      number += delta;
      const kind = kinds[number];
      cursor.at = at;
      if (kind === TEXT) {
        const length = cursor.uint();
        cursor.skip(length);
        named = true;
        this.#checkName(cursor, length);
      } else if (kind === NUMBER64) {
        this.entries.take(cursor);
        numbered = true;
      } else if (kind === OTHER) (others[number] as Read)(cursor);
      else throw badData('gob: bad data: field numbers out of bounds');
      at = cursor.at;
    }
    cursor.at = at;
    if (!named) this.#badName('');
    if (!numbered) this.entries.add(0);
  }

  /** The name that ends at the cursor must be one component of a path. */
  #checkName(cursor: Cursor, length: number): void {
    const { bytes, at } = cursor;
    const start = at - length;
    let good = length > 0;
    for (let index = start; index < at; index++) {
      const byte = bytes[index] as number;
      if (byte === 0x2f || byte === 0) good = false;
    }
    if (length <= 2 && bytes[start] === 0x2e && bytes[at - 1] === 0x2e) good = false;
    if (!good) this.#badName(bytes.toString('utf8', start, Math.min(at, start + 80)));
  }
  #badName(name: string): void {
    this.problem(`bad name of a directory entry: ${JSON.stringify(name)}`);
  }
}
