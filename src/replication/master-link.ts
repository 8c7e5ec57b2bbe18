/**
 * What replication needs of a master, as ports: a session to follow it, and connections to pass uploads on to it.
 * srpc-link.ts speaks to real masters; tests use fakes.
 */
import type { EncodedImage, Hash, ObjectReader } from '../store/types.ts';
import type { Image } from '../wire/messages/image.ts';
import type { ImageUpdate } from '../wire/messages/imageserver.ts';
import type { GoTime } from '../wire/time.ts';

/** Which version of an image a master has under a name. */
export interface ImageIdentity {
  readonly name: string;
  readonly createdOn: GoTime;
  readonly createdBy: string;
  readonly expiresAt: GoTime;
  /** The master has it but cannot read it. */
  readonly unreadable?: true;
}

/** Takes one object; what it leaves unread is skipped. Chunks are only valid until the next one is asked for. */
export type TakeObject = (
  index: number,
  length: number,
  data: Uint8Array | AsyncIterable<Uint8Array>,
) => Promise<void>;

/** One session with a master. Every call may reject when the connection is lost. */
export interface MasterLink {
  /** Directories, images, an all-zero end mark, then changes as they happen. Ends when the master closes. */
  updates(signal: AbortSignal): AsyncIterable<ImageUpdate>;
  /** What the master has under every name; undefined if this master cannot tell that in one call. */
  identities(signal: AbortSignal): Promise<Map<string, ImageIdentity> | undefined>;
  /** The image without its tree; undefined if the master does not have it. */
  header(name: string, signal: AbortSignal): Promise<Image | undefined>;
  /** The image as sent; without its tree if it expires and `treeOnlyIfPermanent`. */
  image(name: string, treeOnlyIfPermanent: boolean, signal: AbortSignal): Promise<EncodedImage | undefined>;
  /**
   * Hands every object to `take`, in order. If the master lacks some, none is sent and their indices are the answer.
   */
  objects(hashes: readonly Hash[], take: TakeObject, signal: AbortSignal): Promise<readonly number[]>;
  close(): void;
}

/** What one AddObjects call at the master says about one object. */
export interface UploadAnswer {
  readonly error: string;
  readonly hash: Hash;
  readonly added: boolean;
}

/** One AddObjects call at the master. */
export interface MasterUpload {
  /** Announces an object; then exactly `length` bytes follow by `write`. */
  begin(length: number, expected: Hash | undefined): void | Promise<void>;
  /** The bytes are sent or copied when this resolves. */
  write(chunk: Uint8Array): void | Promise<void>;
  /** All bytes of an open object. */
  writeObject(object: ObjectReader): Promise<void>;
  /** The end marker, flushed. */
  end(): Promise<void>;
  /** Next answer, in the order of the objects. Masters of old send them only at the end. */
  answer(): Promise<UploadAnswer>;
}

/** A connection for one upload passed on. */
export interface MasterConnection {
  addImage(name: string, image: EncodedImage): Promise<void>;
  upload(): Promise<MasterUpload>;
  /** Sizes, 0 = not there. */
  checkObjects(hashes: readonly Hash[]): Promise<number[]>;
  close(): void;
}

export interface MasterPort {
  /** host:port as configured. */
  readonly address: string;
  /** Opens a session; rejects if the master cannot be reached. */
  open(signal: AbortSignal): Promise<MasterLink>;
  dial(signal: AbortSignal): Promise<MasterConnection>;
  /** The master's clock minus ours, milliseconds, and how exact that is; undefined if it does not tell. */
  clockSkew(signal: AbortSignal): Promise<{ skewMs: number; uncertaintyMs: number } | undefined>;
}
