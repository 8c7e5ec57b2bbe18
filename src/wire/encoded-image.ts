/**
 * Images as stored and sent: gob bytes that are scanned, patched and spliced but not re-encoded, so that fields which
 * this version does not know survive.
 */
import { badData, Cursor } from './gob/cursor.ts';
import { BufferSource, GobDecoder, type MessageSource } from './gob/decoder.ts';
import { encodeOnce, timeBytes } from './gob/encoder.ts';
import type { Observer } from './gob/plan.ts';
import { WireTypes } from './gob/wire-types.ts';
import { GobWriter } from './gob/writer.ts';
import { applyEdits, type FieldSpan, type ImageLayout, messageAt, replaceFields } from './image-layout.ts';
import type { DirectoryInode, GenericInode } from './messages/filesystem.ts';
import { Image } from './messages/image.ts';
import { AddImageRequest, GetImageResponse } from './messages/imageserver.ts';
import type { GoTime } from './time.ts';

export interface ImageCounts {
  readonly regular: number;
  readonly computed: number;
  readonly symlink: number;
  readonly special: number;
  readonly directory: number;
  /** All entries of the inode table. */
  readonly inodes: number;
}

/** What one walk over the bytes of an image finds. */
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
  /** Why the tree is not sane, in words; empty if it is. */
  readonly problems: readonly string[];
  /** Length of the gob stream in the bytes scanned (a checksum may follow). */
  readonly gobLength: number;
  /** Where the fields lie; not known for bytes that were patched. */
  readonly layout?: ImageLayout;
}

/** The gob stream of one `image.Image`, without the checksum. */
export interface EncodedImage {
  readonly bytes: Uint8Array;
  /** Known already when the bytes came through the upload walk. */
  readonly summary?: ImageSummary;
}

/** Gathers a summary while an image is decoded; inodes are looked at and dropped. */
class Scan {
  #hashes = Buffer.alloc(64 * 256);
  #sizes = new Float64Array(256);
  #objects = 0;
  readonly #counts = { regular: 0, computed: 0, symlink: 0, special: 0, directory: 0 };
  #dataBytes = 0;
  readonly #problems: string[] = [];
  readonly #known = new Set<bigint>();
  readonly #referred: { name: string; number: bigint }[] = [];
  readonly #computed = new Set<bigint>();
  readonly fields: FieldSpan[] = [];
  valueEnd = 0;
  /** Field `Image` of a request or reply around the image. */
  imageStart = -1;
  imageEnd = -1;
  #token = 0;
  #start = 0;

  /** `position` tells where the cursor is in the whole stream. */
  constructor(readonly position: () => number) {}

  #problem(text: string): void {
    if (this.#problems.length < 10) this.#problems.push(text);
  }

  inode(key: bigint, value: unknown): void {
    this.#known.add(key);
    const inode = value as GenericInode | null;
    if (inode === null) {
      this.#problem(`nil entry in inode table: ${key}`);
      return;
    }
    this.#counts[inode.Kind]++;
    if (inode.Kind === 'regular' && inode.Size > 0n) this.#object(inode.Hash, Number(inode.Size));
    else if (inode.Kind === 'computed') this.#computed.add(key);
    else if (inode.Kind === 'directory') this.#directory(inode);
  }

  #object(hash: string, size: number): void {
    if (this.#objects === this.#sizes.length) {
      this.#hashes = Buffer.concat([this.#hashes, Buffer.alloc(this.#hashes.length)]);
      const sizes = new Float64Array(this.#objects * 2);
      sizes.set(this.#sizes);
      this.#sizes = sizes;
    }
    this.#hashes.write(hash, this.#objects * 64, 'hex');
    this.#sizes[this.#objects++] = size;
    this.#dataBytes += size;
  }

  #directory(directory: DirectoryInode): void {
    for (const entry of directory.EntryList) {
      if (entry === null) this.#problem('nil directory entry');
      else {
        const { Name, InodeNumber } = entry;
        if (Name === '' || Name === '.' || Name === '..' || Name.includes('/') || Name.includes('\0'))
          this.#problem(`bad name of a directory entry: ${JSON.stringify(Name)}`);
        this.#referred.push({ name: Name, number: InodeNumber });
      }
    }
  }

  field(struct: unknown, name: string, number: number, phase: 'token' | 'start' | 'end'): void {
    if (struct === Image) {
      if (phase === 'token') this.#token = this.position();
      else if (phase === 'start') this.#start = this.position();
      else this.fields.push({ name, number, token: this.#token, start: this.#start, end: this.position() });
      if (name === 'FileSystem' && phase === 'start')
        this.#fileSystem = { token: this.#token, start: this.#start };
      if (name === 'FileSystem' && phase === 'end' && this.#fileSystem) {
        const { token, start } = this.#fileSystem;
        this.fields[this.fields.length - 1] = { name, number, token, start, end: this.position() };
      }
    } else if (name === 'Image' && (struct === AddImageRequest || struct === GetImageResponse)) {
      if (phase === 'start') this.imageStart = this.position();
      else if (phase === 'end') this.imageEnd = this.position();
    }
  }
  #fileSystem: { token: number; start: number } | undefined;

  end(): void {
    this.valueEnd = this.position();
  }

  summary(image: Image, gobLength: number, shift: (at: number) => number): ImageSummary {
    const root = image.FileSystem;
    if (root) {
      this.#directory(root.DirectoryInode);
      const computedAtRoot = new Set<bigint>();
      for (const entry of root.DirectoryInode.EntryList) {
        if (!entry || !this.#computed.has(entry.InodeNumber)) continue;
        if (computedAtRoot.has(entry.InodeNumber)) this.#problem(`duplicate computed inode: ${entry.Name}`);
        computedAtRoot.add(entry.InodeNumber);
      }
      for (const { name, number } of this.#referred)
        if (!this.#known.has(number)) this.#problem(`no inode ${number} for entry: ${JSON.stringify(name)}`);
    }
    const counts = { ...this.#counts, inodes: this.#known.size };
    return {
      header: { ...image, FileSystem: null },
      hasFileSystem: root !== null,
      hashes: new Uint8Array(this.#hashes.buffer, this.#hashes.byteOffset, this.#objects * 64),
      sizes: this.#sizes.subarray(0, this.#objects),
      annotations: [image.ReleaseNotes?.Object, image.BuildLog?.Object].filter((hash) => hash != null),
      counts,
      dataBytes: this.#dataBytes,
      problems: this.#problems,
      gobLength,
      layout: {
        fields: this.fields.map((field) => ({
          ...field,
          token: shift(field.token),
          start: shift(field.start),
          end: shift(field.end),
        })),
        structEnd: shift(this.valueEnd),
      },
    };
  }
}

/** A source over whole bytes that answers later, so that a long decode lets others run. */
class SlicedSource implements MessageSource {
  readonly #source: BufferSource;
  constructor(bytes: Uint8Array) {
    this.#source = new BufferSource(bytes);
  }
  get at(): number {
    return this.#source.at;
  }
  next(): Promise<Uint8Array | undefined> {
    try {
      return Promise.resolve(this.#source.next());
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

function observerOf(scan: Scan): Observer {
  return {
    inode: (key, inode) => scan.inode(key, inode),
    field: (struct, name, number, phase) => scan.field(struct, name, number, phase),
    structEnd: (struct) => {
      if (struct === Image) scan.end();
    },
  };
}

/** Walks over an encoded image in slices of a few milliseconds. Throws INVALID_REQUEST for what is not an image. */
export async function scanImage(bytes: Uint8Array): Promise<ImageSummary> {
  const source = new SlicedSource(bytes);
  const scan: Scan = new Scan(() => source.at - decoder.cursor.left);
  const decoder = new GobDecoder(source, undefined, observerOf(scan));
  const image = await decoder.decode(Image);
  if (image === undefined) throw badData('EOF');
  return scan.summary(image, source.at, (at) => at);
}

/** The whole image as values, decoded in slices of a few milliseconds. */
export async function decodeImage(bytes: Uint8Array): Promise<Image> {
  const image = await new GobDecoder(new SlicedSource(bytes)).decode(Image);
  if (image === undefined) throw badData('EOF');
  return image;
}

export function encodeImage(image: Image): EncodedImage {
  return { bytes: encodeOnce(Image, image) };
}

/** Keeps the messages it hands on, so that the image can be cut out of them. */
class RecordingSource implements MessageSource {
  readonly messages: Uint8Array[] = [];
  readonly starts: number[] = [];
  length = 0;
  constructor(readonly inner: MessageSource) {}

  async next(): Promise<Uint8Array | undefined> {
    const message = await this.inner.next();
    if (message) {
      // The inner source may reuse its buffer.
      this.messages.push(message.slice());
      this.starts.push(this.length);
      this.length += message.length;
    }
    return message;
  }
}

const isDefinition = (message: Uint8Array) => {
  const cursor = new Cursor();
  cursor.set(message);
  return cursor.int() < 0;
};

/**
 * Cuts the value of the field `Image` out of a request's or reply's messages: the definitions stay, the first value
 * message begins with the id of Image instead of the outer struct, the last one ends where the image ends.
 */
function cutImage(source: RecordingSource, scan: Scan): { bytes: Uint8Array; shift: (at: number) => number } {
  const out = new GobWriter();
  const moves: { from: number; to: number }[] = [];
  let inValue = false;
  const types = new WireTypes({ maxTypes: 10_000 });
  source.messages.forEach((message, index) => {
    const start = source.starts[index] as number;
    const end = start + message.length;
    if (!inValue && isDefinition(message)) {
      const cursor = new Cursor();
      cursor.set(message);
      types.define(-cursor.int(), cursor);
      out.bytes(message);
      return;
    }
    let payload = message;
    let from = start;
    const prefix = new GobWriter();
    if (!inValue) {
      const cursor = new Cursor();
      cursor.set(message);
      const outer = types.get(cursor.int());
      const field = outer.kind === 'struct' ? outer.fields.find((one) => one.name === 'Image') : undefined;
      if (!field) throw badData('gob: no Image');
      prefix.int(field.id);
      payload = message.subarray(scan.imageStart - start);
      from = scan.imageStart;
      inValue = true;
    }
    if (scan.imageEnd <= from) return;
    if (scan.imageEnd < end) payload = payload.subarray(0, scan.imageEnd - from);
    const size = prefix.length + payload.length;
    out.uint(size);
    out.raw(prefix.take());
    moves.push({ from, to: out.length });
    out.raw(payload);
  });
  const shift = (at: number) => {
    let found = moves[0] as { from: number; to: number };
    for (const move of moves) if (move.from <= at) found = move;
    return at - found.from + found.to;
  };
  return { bytes: out.take(), shift };
}

async function readAround(schema: typeof AddImageRequest | typeof GetImageResponse, inner: MessageSource) {
  const source = new RecordingSource(inner);
  const scan: Scan = new Scan(() => source.length - decoder.cursor.left);
  const decoder = new GobDecoder(source, undefined, observerOf(scan));
  const value = (await decoder.decode(schema)) as { Image: Image | null; ImageName?: string } | undefined;
  if (value === undefined) throw badData('EOF');
  if (!value.Image) return { name: value.ImageName ?? '', image: null };
  const { bytes, shift } = cutImage(source, scan);
  const image: EncodedImage = { bytes, summary: scan.summary(value.Image, bytes.length, shift) };
  return { name: value.ImageName ?? '', image };
}

/** Reads an AddImageRequest; the image stays encoded. */
export async function readImageUpload(
  source: MessageSource,
): Promise<{ ImageName: string; image: EncodedImage | null }> {
  const { name, image } = await readAround(AddImageRequest, source);
  return { ImageName: name, image };
}

/** Reads a GetImageResponse; the image stays encoded. */
export async function readImageReply(source: MessageSource): Promise<EncodedImage | null> {
  return (await readAround(GetImageResponse, source)).image;
}

/** The numbers of the sender's Image fields, from the definitions at the beginning of the stream. */
function fieldNumbers(bytes: Uint8Array): ReadonlyMap<string, number> {
  const types = new WireTypes({ maxTypes: 10_000 });
  for (let at = 0; ; ) {
    const { start, end } = messageAt(bytes, at);
    const cursor = new Cursor();
    cursor.set(bytes.subarray(start, end));
    const id = cursor.int();
    if (id >= 0) {
      const type = types.get(id);
      return new Map(type.kind === 'struct' ? type.fields.map((field, number) => [field.name, number]) : []);
    }
    types.define(-id, cursor);
    at = end;
  }
}

export interface ImagePatch {
  readonly createdBy?: string;
  readonly createdOn?: GoTime;
  readonly expiresAt?: GoTime;
}

/** The image with some fields replaced; everything else, also what we do not know, stays as it is. */
export async function patchImage(encoded: EncodedImage, patch: ImagePatch): Promise<EncodedImage> {
  const summary = encoded.summary?.layout ? encoded.summary : await scanImage(encoded.bytes);
  const layout = summary.layout as ImageLayout;
  const values = new Map<string, Uint8Array>();
  const put = (name: string, write: (writer: GobWriter) => void) => {
    const writer = new GobWriter();
    write(writer);
    values.set(name, writer.take());
  };
  const { createdBy, createdOn, expiresAt } = patch;
  if (createdBy !== undefined) put('CreatedBy', (writer) => writer.text(createdBy));
  if (createdOn) put('CreatedOn', (writer) => writer.bytes(timeBytes(createdOn)));
  if (expiresAt) put('ExpiresAt', (writer) => writer.bytes(timeBytes(expiresAt)));
  const header: Image = {
    ...summary.header,
    ...(createdBy === undefined ? {} : { CreatedBy: createdBy }),
    ...(createdOn ? { CreatedOn: createdOn } : {}),
    ...(expiresAt ? { ExpiresAt: expiresAt } : {}),
  };
  const edits = replaceFields(layout, fieldNumbers(encoded.bytes), values);
  if (!edits) {
    // The sender's type lacks a field, so the definitions must change: only encoding anew can do that.
    const image = await decodeImage(encoded.bytes);
    const bytes = encodeOnce(Image, { ...header, FileSystem: image.FileSystem });
    return { bytes, summary: await scanImage(bytes) };
  }
  const bytes = applyEdits(encoded.bytes, edits);
  const { layout: _moved, ...rest } = summary;
  return { bytes, summary: { ...rest, header, gobLength: bytes.length } };
}

/** Type id for GetImageResponse in spliced replies; senders number from 65 upwards, so take one that is free. */
function freeId(used: ReadonlySet<number>): number {
  let id = 1000;
  while (used.has(id)) id++;
  return id;
}

/**
 * gob(GetImageResponse{Image}) from the stored bytes: their definitions, one of ours, and their value messages with
 * the head of the first and the end of the last changed. The chunks share the stored bytes.
 */
export function getImageReply(bytes: Uint8Array): Uint8Array[] {
  return wrapImage(bytes, 'GetImageResponse', undefined);
}

/** gob(AddImageRequest{ImageName, Image}) from the stored bytes, in the same way. */
export function addImageRequest(imageName: string, bytes: Uint8Array): Uint8Array[] {
  return wrapImage(bytes, 'AddImageRequest', imageName);
}

/** Gob's predefined type id of strings. */
const STRING_ID = 6;

/** The stored image as the field `Image` of a struct, with a field `ImageName` before it if there is a name. */
function wrapImage(bytes: Uint8Array, typeName: string, imageName: string | undefined): Uint8Array[] {
  const used = new Set<number>();
  const cursor = new Cursor();
  let at = 0;
  let first: { start: number; end: number };
  let imageId: number;
  for (;;) {
    first = messageAt(bytes, at);
    cursor.set(bytes.subarray(first.start, first.end));
    const id = cursor.int();
    if (id >= 0) {
      imageId = id;
      break;
    }
    used.add(-id);
    at = first.end;
  }
  const definitions = bytes.subarray(0, at);
  let last = first;
  for (let next = first.end; next < bytes.length; next = last.end) last = messageAt(bytes, next);
  const ours = freeId(used);
  const definition = new GobWriter();
  definition.int(-ours);
  definition.raw(Uint8Array.of(3, 1, 1));
  definition.text(typeName);
  definition.byte(1);
  definition.int(ours);
  definition.raw(Uint8Array.of(0, 1, imageName === undefined ? 1 : 2, 1));
  if (imageName !== undefined) {
    definition.text('ImageName');
    definition.byte(1);
    definition.int(STRING_ID);
    definition.raw(Uint8Array.of(0, 1));
  }
  definition.text('Image');
  definition.byte(1);
  definition.int(imageId);
  definition.raw(Uint8Array.of(0, 0, 0));
  const head = new GobWriter();
  head.bytes(definition.take());
  const start = new GobWriter();
  start.int(ours);
  // Fields are counted from the one before: an empty name is left out, so Image is then two on.
  if (imageName) {
    start.byte(1);
    start.text(imageName);
  }
  start.byte(imageName === '' ? 2 : 1);
  const valueStart = first.start + cursor.at;
  const body = first.end - valueStart;
  if (last.start === first.start) {
    head.uint(start.length + body + 1);
    head.raw(start.take());
    return [definitions, head.take(), bytes.subarray(valueStart, first.end), Uint8Array.of(0)];
  }
  head.uint(start.length + body);
  head.raw(start.take());
  const tail = new GobWriter();
  tail.uint(last.end - last.start + 1);
  const lastPrefix = lastPrefixStart(bytes, first.end, last.start);
  return [
    definitions,
    head.take(),
    bytes.subarray(valueStart, lastPrefix),
    tail.take(),
    bytes.subarray(last.start, last.end),
    Uint8Array.of(0),
  ];
}

/** Where the count of the last message begins. */
function lastPrefixStart(bytes: Uint8Array, from: number, lastStart: number): number {
  for (let at = from; ; ) {
    const message = messageAt(bytes, at);
    if (message.start === lastStart) return at;
    at = message.end;
  }
}
