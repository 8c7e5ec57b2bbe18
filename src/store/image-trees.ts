/**
 * Trees that are being looked at. Their inodes stay encoded, and only so many are in memory at once: whoever wants one
 * more waits until another has not been used for a moment, which then is let go of and read again when its user goes
 * on. So neither many readers nor slow ones take memory without limit, and nobody waits for a slow one.
 */
import { ImageServerError } from '../errors.ts';
import { EncodedInodes } from '../wire/encoded-inodes.ts';
import { InodePlaces } from '../wire/inode-places.ts';
import type { Image } from '../wire/messages/image.ts';
import type { ImageTree, ImageView } from './types.ts';

/** Encoded bytes of the trees in memory; two may be there in any case, for whoever compares them. */
const MAX_BYTES = 24 * 1024 * 1024;
/** A tree that was used within this time is not let go of, milliseconds: reading it again takes a tenth of that. */
const HOLD_MS = 200;

interface Loaded {
  readonly identity: string;
  readonly bytes: number;
  readonly image: Image;
  /** Undefined: let go of. */
  places: InodePlaces | undefined;
  usedAt: number;
}

class OpenTree implements ImageTree {
  readonly image: ImageView;
  readonly #trees: ImageTrees;
  readonly #name: string;
  readonly #inodes: EncodedInodes | undefined;
  readonly #signal: AbortSignal | undefined;
  #loaded: Loaded;

  constructor(trees: ImageTrees, name: string, loaded: Loaded, signal: AbortSignal | undefined) {
    this.#trees = trees;
    this.#name = name;
    this.#loaded = loaded;
    this.#signal = signal;
    const { FileSystem, ...rest } = loaded.image;
    this.#inodes = FileSystem ? new EncodedInodes(loaded) : undefined;
    this.image = {
      ...rest,
      FileSystem: FileSystem && this.#inodes ? { ...FileSystem, InodeTable: this.#inodes } : null,
    };
  }

  get inodes(): EncodedInodes | undefined {
    return this.#inodes;
  }

  use(): void | Promise<void> {
    if (this.#loaded.places) this.#loaded.usedAt = performance.now();
    else return this.#again();
  }

  async #again(): Promise<void> {
    const { identity } = this.#loaded;
    this.#loaded = await this.#trees.load(this.#name, identity, this.#signal);
    this.#inodes?.attach(this.#loaded);
  }
}

export class ImageTrees {
  readonly #loaded = new Map<string, Loaded>();
  #bytes = 0;
  /** The last of those who wait for their turn to load. */
  #turn: Promise<unknown> = Promise.resolve();

  readonly #read: (name: string) => Promise<{ identity: string; bytes: Uint8Array }>;

  /** `read`: the stored bytes of an image, which nobody else has, and its identity; throws IMAGE_NOT_FOUND. */
  constructor(
    read: (name: string) => Promise<{ identity: string; bytes: Uint8Array }>,
    readonly maxBytes = MAX_BYTES,
  ) {
    this.#read = read;
  }

  async open(name: string, identity: string, signal?: AbortSignal): Promise<ImageTree> {
    return new OpenTree(this, name, await this.load(name, identity, signal), signal);
  }

  /** The image is gone: who looks at its tree may go on with that. */
  drop(identity: string): void {
    const loaded = this.#loaded.get(identity);
    if (loaded) this.#forget(loaded);
  }

  /** One at a time: many at once would not be faster. */
  load(name: string, identity: string, signal: AbortSignal | undefined): Promise<Loaded> {
    const kept = this.#kept(identity);
    if (kept) return Promise.resolve(kept);
    const loading = this.#turn.then(() => this.#kept(identity) ?? this.#load(name, identity, signal));
    this.#turn = loading.catch(() => undefined); // Whoever asked is told.
    return loading;
  }

  #kept(identity: string): Loaded | undefined {
    const kept = this.#loaded.get(identity);
    if (kept) kept.usedAt = performance.now();
    return kept;
  }

  async #load(name: string, wanted: string, signal: AbortSignal | undefined): Promise<Loaded> {
    if (signal?.aborted) throw new ImageServerError('CANCELLED', 'the caller has gone');
    const { identity, bytes } = await this.#read(name);
    if (identity !== wanted)
      throw new ImageServerError('IMAGE_NOT_FOUND', `image: ${name} has been replaced meanwhile`);
    await this.#makeRoom(bytes.length);
    const { image, places } = await InodePlaces.of(bytes);
    const loaded = { identity, bytes: bytes.length, image, places, usedAt: performance.now() };
    this.#loaded.set(identity, loaded);
    this.#bytes += loaded.bytes;
    return loaded;
  }

  async #makeRoom(bytes: number): Promise<void> {
    while (this.#loaded.size > 1 && this.#bytes + bytes > this.maxBytes) {
      const [oldest] = [...this.#loaded.values()].sort((a, b) => a.usedAt - b.usedAt);
      const left = (oldest as Loaded).usedAt + HOLD_MS - performance.now();
      if (left <= 0) this.#letGo(oldest as Loaded);
      else await Bun.sleep(left);
    }
  }

  #letGo(loaded: Loaded): void {
    this.#forget(loaded);
    loaded.places?.release();
    loaded.places = undefined;
  }
  #forget(loaded: Loaded): void {
    this.#loaded.delete(loaded.identity);
    this.#bytes -= loaded.bytes;
  }
}
