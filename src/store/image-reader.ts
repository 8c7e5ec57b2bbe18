/** Reading images: stored bytes, verified, from a bounded cache, and trees. */
import { open } from 'node:fs/promises';
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
import type { ImageTree } from './types.ts';

const MAX_CACHED = 10_000;

export const notFound = (name: string) =>
  new ImageServerError('IMAGE_NOT_FOUND', `image: ${name} does not exist`);

export class ImageReader {
  readonly #store: DirectoryImageStore;
  /** By identity, as below: what was replaced is never found. */
  readonly #stored: ImageCache<Uint8Array>;
  readonly #trees = new ImageTrees(async (name) => {
    const record = this.#record(name);
    const bytes = await this.bytes(name);
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

  async #read(name: string, record: ImageRecord, inside: boolean): Promise<Uint8Array> {
    try {
      const bytes = await readVerified(this.#store.pathOf(name), record);
      this.#stored.set(record.entry.identity, bytes, bytes.length);
      return bytes;
    } catch (thrown) {
      // Replaced or deleted while it was read, perhaps on disk but not yet in memory: then it is not damaged.
      const change = inside ? undefined : this.#store.changing(name);
      if (change) await change;
      // Not through `bytes`: the image may have come back to the identity that is being read here.
      if (change || this.#store.catalogue.images.get(name) !== record)
        return this.#read(name, this.#record(name), inside);
      if (thrown instanceof ImageServerError && thrown.code === 'CORRUPT')
        this.#store.setAside(name, thrown.message);
      throw thrown;
    }
  }
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
      stamp = stampOf(await handle.stat({ bigint: true }));
      file = await handle.readFile();
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
