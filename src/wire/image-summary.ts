/** One walk over the bytes of an image: what it holds, where its fields lie, and what is wrong with it. */
import type { Cursor } from './gob/cursor.ts';
import { badData } from './gob/cursor.ts';
import type { Observer, Read } from './gob/plan.ts';
import type { WireTypes } from './gob/wire-types.ts';
import type { FieldSpan, ImageLayout } from './image-layout.ts';
import { InodeWalk } from './inode-walk.ts';
import { FileSystem } from './messages/filesystem.ts';
import { Image } from './messages/image.ts';
import type { MapSchema, StructSchema, UnionVariant } from './schema.ts';
import { checkTree } from './tree-check.ts';

interface ImageCounts {
  readonly regular: number;
  readonly computed: number;
  readonly symlink: number;
  readonly special: number;
  readonly directory: number;
  /** All entries of the inode table. */
  readonly inodes: number;
}

export interface ImageSummary {
  /** The image without its file-system. */
  readonly header: Image;
  readonly hasFileSystem: boolean;
  /** 64 bytes for each regular inode with Size > 0, in the order met, repeated ones kept. */
  readonly hashes: Uint8Array;
  /** Sizes in bytes, same order. */
  readonly sizes: Float64Array;
  /** Objects of release notes and build log, hex. */
  readonly annotations: readonly string[];
  readonly counts: ImageCounts;
  /** Sum of Size over regular inodes, bytes. */
  readonly dataBytes: number;
  /** Why the tree is not sane, in words (the first few); empty if it is. */
  readonly problems: readonly string[];
  /** Length of the gob stream in the bytes scanned (a checksum may follow). */
  readonly gobLength: number;
  /** Where the fields lie; not known for bytes that were patched. */
  readonly layout?: ImageLayout;
}

/** A field `Image` of the struct around the image, in an upload or a reply. */
export interface OuterField {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

const INODE_TABLE = FileSystem.fields.get('InodeTable')?.schema as MapSchema;

/** Gathers a summary while an image is decoded; inodes are looked at and dropped. */
export class ImageScan implements Observer {
  readonly table = INODE_TABLE;
  readonly #walk = new InodeWalk();
  readonly #fields: FieldSpan[] = [];
  readonly #open: { token: number; start: number }[] = [];
  #token = 0;
  #structEnd: number | undefined;
  outer: OuterField | undefined;
  #outerStart = 0;

  /** `position` tells where the cursor is in the whole stream. */
  constructor(readonly position: () => number) {}

  key(cursor: Cursor): void {
    this.#walk.key(cursor);
  }
  reader(variant: UnionVariant, types: WireTypes, id: number): Read | undefined {
    return this.#walk.reader(variant, types, id);
  }
  built(value: unknown): void {
    this.#walk.built(value);
  }
  nil(): void {
    this.#walk.nil();
  }
  problem(text: string): void {
    this.#walk.problem(text);
  }

  field(struct: StructSchema, name: string, number: number, phase: 'token' | 'start' | 'end'): void {
    if (struct === Image) this.#imageField(name, number, phase);
    else if (name === 'Image' && struct.fields.get('Image')) {
      if (this.outer) throw badData('gob: Image is there twice');
      if (phase === 'start') this.#outerStart = this.position();
      else if (phase === 'end') this.outer = { number, start: this.#outerStart, end: this.position() };
    }
  }

  #imageField(name: string, number: number, phase: 'token' | 'start' | 'end'): void {
    if (phase === 'token') this.#token = this.position();
    else if (phase === 'start') {
      if (name === 'FileSystem' && this.#fields.some((field) => field.name === name))
        throw badData('gob: FileSystem is there twice');
      this.#open.push({ token: this.#token, start: this.position() });
    } else {
      const { token, start } = this.#open.pop() as { token: number; start: number };
      const end = this.position();
      this.#fields.push({ name, number, token, start, end });
      this.#structEnd = end;
    }
  }
  structEnd(struct: StructSchema): void {
    if (struct === Image) this.#structEnd = this.position();
  }

  /**
   * What was found, once the image is decoded. `shift` maps positions in the stream walked over to those in the bytes
   * that are kept.
   */
  async summary(image: Image, gobLength: number, shift: (at: number) => number): Promise<ImageSummary> {
    const walk = this.#walk;
    // A sender's type without any interface is read in one go, unobserved.
    const structEnd = this.#structEnd;
    const fileSystem = image.FileSystem;
    if (fileSystem) await checkTree(walk, fileSystem.DirectoryInode);
    return {
      header: { ...image, FileSystem: null },
      hasFileSystem: fileSystem !== null,
      hashes: walk.hashes.slice(0, walk.objects * 64),
      sizes: walk.sizes.slice(0, walk.objects),
      annotations: [image.ReleaseNotes?.Object, image.BuildLog?.Object].filter((hash) => hash != null),
      counts: { ...walk.counts, inodes: walk.keys.length },
      dataBytes: walk.dataBytes,
      problems: walk.problems,
      gobLength,
      ...(structEnd === undefined ? {} : { layout: this.#layout(structEnd, shift) }),
    };
  }

  #layout(structEnd: number, shift: (at: number) => number): ImageLayout {
    const fields = this.#fields.map((field) => ({
      ...field,
      token: shift(field.token),
      start: shift(field.start),
      end: shift(field.end),
    }));
    return { fields, structEnd: shift(structEnd) };
  }
}
