/** Reading images: stored bytes, verified, from a bounded cache, and trees. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ImageServerError } from '../errors.ts';
import { scanImage } from '../wire/encoded-image.ts';
import { decodeOnce } from '../wire/gob/decoder.ts';
import { Image } from '../wire/messages/image.ts';
import { sha512 } from './checksummed-file.ts';
import { errno } from './disk.ts';
import { ImageCache } from './image-cache.ts';
import { type ImageRecord, stampOf } from './image-record.ts';
import type { DirectoryImageStore } from './image-store.ts';
import { ImageTrees } from './image-trees.ts';
import { release } from './release.ts';
import type { ImageFile, ImageTree } from './types.ts';

const MAX_CACHED = 10_000;

export const notFound = (name: string) =>
  new ImageServerError('IMAGE_NOT_FOUND', `image: ${name} does not exist`);

export class ImageReader {
  readonly #store: DirectoryImageStore;
  /** By identity, as below: what was replaced is never found. */
  readonly #stored: ImageCache<Uint8Array>;
  readonly #trees = new ImageTrees(async (name) => {
    const record = this.#record(name);
    const bytes = await this.#own(name);
    // What was replaced while it was read may be either.
    return { identity: this.#record(name) === record ? record.entry.identity : '', bytes };
  });
  readonly #reading = new Map<string, Promise<Uint8Array>>();

  constructor(store: DirectoryImageStore, cacheBytes: number) {
    this.#store = store;
    this.#stored = new ImageCache(cacheBytes, MAX_CACHED);
  }

  /** `inside`: called by what changes this very image, so that no other change need be waited for. */
  async bytes(name: string, inside = false): Promise<Uint8Array> {
    const record = this.#record(name);
    const { identity } = record.entry;
    const kept = this.#stored.get(identity);
    if (kept) return kept;
    if (inside) return this.#read(name, record, inside);
    const begun = this.#reading.get(identity);
    if (begun) return begun;
    const reading = this.#read(name, record, inside).finally(() => this.#reading.delete(identity));
    this.#reading.set(identity, reading);
    return reading;
  }

  async inspect<T>(name: string, work: (bytes: Uint8Array) => T): Promise<T> {
    const bytes = await this.#own(name);
    try {
      return work(bytes);
    } finally {
      release(bytes);
    }
  }

  openFile(name: string, identity: string): ImageFile | undefined {
    const record = this.#record(name);
    if (record.entry.identity !== identity || !record.verified) return undefined;
    let fd: number;
    try {
      fd = openSync(this.#store.pathOf(name), 'r');
    } catch {
      return undefined; // Whoever reads it then says what is wrong.
    }
    const file = { fd, close: () => closeSync(fd) };
    if (stampOf(fstatSync(fd, { bigint: true })) === record.stamp) return file;
    file.close();
    return undefined;
  }

  /** Bytes that nobody else has. */
  async #own(name: string): Promise<Uint8Array> {
    const record = this.#record(name);
    const kept = this.#stored.get(record.entry.identity);
    if (kept) return new Uint8Array(kept);
    const bytes = await this.#read(name, record, false, false);
    return this.#record(name) === record ? bytes : this.#own(name);
  }

  async header(name: string, inside = false): Promise<Image> {
    this.#record(name);
    const gob = this.#store.options.index.header(name);
    if (gob) return decodeOnce(Image, gob).value;
    return (await scanImage(await this.bytes(name, inside))).header;
  }

  async tree(name: string, signal?: AbortSignal): Promise<ImageTree> {
    return this.#trees.open(name, this.#record(name).entry.identity, signal);
  }

  keep(identity: string, bytes: Uint8Array): void {
    this.#stored.set(identity, bytes, bytes.length);
  }

  drop(identity: string): void {
    this.#stored.delete(identity);
    this.#trees.drop(identity);
  }

  #record(name: string): ImageRecord {
    const record = this.#store.catalogue.images.get(name);
    if (!record) throw notFound(name);
    return record;
  }

  async #read(name: string, record: ImageRecord, inside: boolean, keep = true): Promise<Uint8Array> {
    try {
      const bytes = await readVerified(this.#store.pathOf(name), record);
      if (keep) this.#stored.set(record.entry.identity, bytes, bytes.length);
      return bytes;
    } catch (thrown) {
      // Replaced or deleted while it was read, perhaps on disk but not yet in memory: then it is not damaged.
      const change = inside ? undefined : this.#store.changing(name);
      if (change) await change;
      // Not through `bytes`: the image may have come back to the identity that is being read here.
      if (change || this.#store.catalogue.images.get(name) !== record)
        return this.#read(name, this.#record(name), inside, keep);
      if (thrown instanceof ImageServerError && thrown.code === 'CORRUPT')
        this.#store.setAside(name, thrown.message);
      throw thrown;
    }
  }
}

/** In one piece: what a growing buffer leaves behind takes memory for long. */
async function readWhole(handle: FileHandle, size: number): Promise<Buffer> {
  const file = Buffer.allocUnsafeSlow(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await handle.read(file, at, size - at, at);
    if (bytesRead === 0) return file.subarray(0, at);
    at += bytesRead;
  }
  return file;
}

/** The gob of an image file, compared with the record's identity unless that was done for this very file. */
export async function readVerified(path: string, record: ImageRecord): Promise<Uint8Array> {
  const { name, encodedBytes, identity } = record.entry;
  const corrupt = (reason: string, cause?: unknown) =>
    new ImageServerError('CORRUPT', `image: ${name} is damaged: ${reason}`, { cause });
  let file: Buffer;
  let stamp: string;
  try {
    const handle = await open(path, 'r');
    try {
      const stat = await handle.stat({ bigint: true });
      stamp = stampOf(stat);
      file = await readWhole(handle, Number(stat.size));
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT') throw corrupt('file is gone', thrown);
    throw new ImageServerError('INTERNAL', `cannot read image: ${name}: ${errno(thrown)}`, { cause: thrown });
  }
  if (file.length < encodedBytes) throw corrupt('file is too short');
  const bytes = file.subarray(0, encodedBytes);
  if (!record.verified || stamp !== record.stamp) {
    if ((await sha512(bytes)).toString('hex') !== identity) throw corrupt('checksum mismatch');
    record.verified = true;
  }
  return bytes;
}
