/**
 * The ports of the stores. Methods, replication and HTTP know only these; the directory stores beside this file
 * implement them, another backend may take their place.
 */

import type { EncodedImage } from '../wire/encoded-image.ts';
import type { EncodedInodes } from '../wire/encoded-inodes.ts';
import type { Tree } from '../wire/messages/filesystem.ts';
import type { Directory, Image } from '../wire/messages/image.ts';
import type { GoTime } from '../wire/time.ts';
import type { Disk } from './disk.ts';

export type { EncodedImage };

/** 128 lower-case hex digits: SHA-512 of an object's bytes. */
export type Hash = string;

/** An open object. Read it through `file` ranges (sendfile, Bun.file) or `stream`. Always `close()` it. */
export interface ObjectReader {
  readonly hash: Hash;
  /** Bytes; checked against the index when opened. */
  readonly size: number;
  /** Open descriptor, positioned reads only. */
  readonly fd: number;
  /** Absolute path, for Bun.file; never shown to anybody. */
  readonly path: string;
  close(): void;
}

export interface PutResult {
  readonly hash: Hash;
  /** False if the object was here already (its contents were compared and found equal). */
  readonly added: boolean;
}

export interface ObjectSource {
  /** Bytes: exactly so many must come. Undefined: as many as come. */
  readonly length: number | undefined;
  readonly expected: Hash | undefined;
  /** Small objects arrive whole, big ones in chunks; chunks are only valid until the next one is asked for. */
  readonly data: Uint8Array | AsyncIterable<Uint8Array>;
}

/**
 * A group of uploads (one AddObjects call, one PUT). Objects put here are leased: garbage collection leaves them alone
 * until `close()` and for the grace period after it. An object counts as acknowledged once `commit()` has resolved
 * after its `put()`: it is then durable.
 */
export interface ObjectUpload {
  /** Hashes, checks and stages one object. Throws HASH_MISMATCH, COLLISION, NO_SPACE, TOO_LARGE, INVALID_REQUEST. */
  put(source: ObjectSource): PutResult | Promise<PutResult>;
  /** Group commit: makes everything put so far durable and visible. */
  commit(): Promise<void>;
  /** Leases objects that are here already, until `close()`: pending replications, images about to be added. */
  hold(hashes: readonly Hash[]): void;
  /** As `hold` for hashes of 64 bytes each, one behind the other: the indices of those that are not here. */
  holdPresent(hashes: Uint8Array): number[];
  /** Opens an object of the store or one put here and not yet committed. Throws as `ObjectStore.open`. */
  open(hash: Hash): ObjectReader;
  /** Ends the lease; what was not committed is dropped. */
  close(): void;
}

export interface ObjectTotals {
  readonly objects: number;
  readonly bytes: number;
  readonly unreferencedObjects: number;
  readonly unreferencedBytes: number;
  /** Referred to by images but not here. */
  readonly missingObjects: number;
}

export interface UnreferencedEntry {
  readonly hash: Hash;
  readonly size: number;
  /** Milliseconds since the epoch when it became unreferenced. */
  readonly since: number;
}

export interface CollectResult {
  readonly count: number;
  readonly bytes: number;
  readonly deleted: readonly Hash[];
}

export interface ObjectStore {
  /** Size in bytes, or 0 if not here. Answers from the index; on a miss looks at the disk. Never blocks for long. */
  size(hash: Hash): number;
  /** Sizes of many, same order. */
  sizes(hashes: readonly Hash[]): number[];
  /** Opens an object. Throws OBJECT_NOT_FOUND, or CORRUPT if the file's length is not the recorded one. */
  open(hash: Hash): ObjectReader;
  /**
   * Reads a small object of `size` bytes at once; `into` has room for one byte more at `at`. Throws as `open`, CORRUPT
   * for any other length.
   */
  readInto(hash: Hash, size: number, into: Uint8Array, at: number): void;
  upload(): ObjectUpload;
  totals(): ObjectTotals;
  /** Oldest first. */
  unreferenced(): Iterable<UnreferencedEntry>;
  /**
   * Deletes unreferenced objects, oldest first, in small steps, while `wanted(deletedCount, deletedBytes)` is true;
   * leaves leased objects and those in their grace period alone. Durable when resolved.
   */
  collect(
    wanted: (count: number, bytes: number, next: UnreferencedEntry) => boolean,
    options?: { dryRun?: boolean },
  ): Promise<CollectResult>;
  /** Objects that images refer to and that are not here. */
  missing(): Iterable<{ readonly hash: Hash; readonly size: number }>;
  /** File system that holds the objects, bytes. */
  space(): { capacity: number; free: number };
}

/** What is kept in memory of an image; everything else stays in its file. */
export interface ImageEntry {
  readonly name: string;
  /** SHA-512 of the stored gob bytes, hex: the identity of this version of the image (ETag). */
  readonly identity: string;
  readonly createdOn: GoTime;
  readonly expiresAt: GoTime;
  readonly createdBy: string;
  readonly createdFor: string;
  readonly ownerUsers: readonly string[];
  readonly ownerGroups: readonly string[];
  readonly buildBranch: string;
  readonly buildCommitId: string;
  readonly tags: ReadonlyMap<string, string>;
  /** Undefined = sparse image. */
  readonly filterLines: number | undefined;
  readonly triggers: number | undefined;
  readonly packages: number;
  readonly computedInodes: number;
  readonly regularInodes: number;
  readonly inodes: number;
  /** Sum of Size over regular inodes, bytes. */
  readonly dataBytes: number;
  /** Bytes of the stored gob, without checksum. */
  readonly encodedBytes: number;
}

export type CatalogueEvent =
  | { readonly kind: 'add'; readonly name: string; readonly sequence: number }
  | {
      readonly kind: 'delete';
      readonly name: string;
      /** Its time was over: others who have the image know that by themselves. */
      readonly expired?: true;
      readonly sequence: number;
    }
  | { readonly kind: 'mkdir'; readonly directory: Directory; readonly sequence: number }
  | { readonly kind: 'rmdir'; readonly name: string; readonly sequence: number };

export interface AddImageOptions {
  /** Replicas and restores keep what the image says; AddImage sets both. */
  readonly createdBy?: string;
  readonly createdOn?: GoTime;
  /** Replication: put this in place of an image (or tombstone) of the same name in one step. */
  readonly replace?: boolean;
  /** Replication: accept a tree that is not quite sane (the original does), as long as its objects are here. */
  readonly lenient?: boolean;
}

export interface TrashEntry {
  readonly id: string;
  readonly name: string;
  readonly identity: string;
  readonly deletedAt: number;
  readonly deletedBy: string;
  /** Milliseconds since the epoch when it is removed for good. */
  readonly purgeAt: number;
  readonly dataBytes: number;
}

/** A stored image, open: its first bytes are those of the image. Always `close()` it. */
export interface ImageFile {
  readonly fd: number;
  close(): void;
}

/** An image whose inodes are decoded as they are asked for. */
export type ImageView = Readonly<Omit<Image, 'FileSystem'>> & { readonly FileSystem: Tree | null };

/** Of an image that is looked at for longer than a moment. */
export interface ImageTree {
  readonly image: ImageView;
  /** The inode table of the image's tree, if it has one. */
  readonly inodes: EncodedInodes | undefined;
  /**
   * Before anything of the tree is asked for, and again after each wait: it may have been let go of meanwhile. Rejects
   * with IMAGE_NOT_FOUND if the image is gone by then.
   */
  use(): void | Promise<void>;
}

export interface ImageStore {
  has(name: string): boolean;
  get(name: string): ImageEntry | undefined;
  /**
   * Found on disk at the start and not read yet: resolves when `get` knows (it is read next). Undefined otherwise, which
   * is the rule.
   */
  pending(name: string): Promise<void> | undefined;
  /** Names in no particular order. */
  names(): Iterable<string>;
  /** Names of images that are on disk but cannot be read: not served, and not deleted by themselves either. */
  unreadable(): string[];
  /** Whether such an image is there: `remove` puts its file into the quarantine. */
  isDamaged(name: string): boolean;
  entries(): Iterable<ImageEntry>;
  /** Another number whenever an image or directory comes or goes, or a directory gets another owner. */
  readonly generation: number;
  readonly size: number;
  /** All names, each with a newline, then an empty line: the ListImages stream, kept ready. */
  listing(): Uint8Array;
  /** Stored bytes, checksum verified on first read; throws IMAGE_NOT_FOUND, CORRUPT. */
  read(name: string): Promise<EncodedImage>;
  /** Lets `work` see the stored bytes, verified as in `read`; they are gone afterwards. */
  inspect<T>(name: string, work: (bytes: Uint8Array) => T): Promise<T>;
  /** The file of an image whose bytes have been verified and are those of `identity`; undefined: `read` them. */
  openFile(name: string, identity: string): ImageFile | undefined;
  /** Decoded without its file-system (from the index, no tree is touched). */
  header(name: string): Promise<Image>;
  /** To look at its tree. `signal`: whoever wants it has gone. Throws IMAGE_NOT_FOUND, CORRUPT, CANCELLED. */
  tree(name: string, signal?: AbortSignal): Promise<ImageTree>;
  /** Newest by creation time directly inside `directory`; throws DIRECTORY_NOT_FOUND. */
  findLatest(directory: string, accept: (entry: ImageEntry) => boolean): ImageEntry | undefined;
  /**
   * Checks the image (every object here, tree sane), makes it durable, then visible, then tells listeners.
   * Throws IMAGE_EXISTS, OBJECTS_MISSING, INVALID_NAME, INVALID_IMAGE, DIRECTORY_NOT_FOUND, NO_SPACE.
   * An already expired image is accepted and not stored (as in the original).
   */
  add(name: string, image: EncodedImage, options?: AddImageOptions): Promise<void>;
  /** Moves to the trash and leaves a tombstone. Throws IMAGE_NOT_FOUND. */
  remove(name: string, options?: { by?: string }): Promise<void>;
  /** Rewrites the expiry; ZERO_TIME = never. Throws IMAGE_NOT_FOUND. No policy here: the method checks it. */
  setExpiry(name: string, expiresAt: GoTime): Promise<void>;

  hasDirectory(name: string): boolean;
  /** Parents before children, version order; `.` first. */
  directories(): readonly Directory[];
  ownerGroup(directory: string): string | undefined;
  /** Throws DIRECTORY_EXISTS, DIRECTORY_NOT_FOUND (parent), INVALID_NAME. */
  makeDirectory(name: string, ownerGroup?: string): Promise<void>;
  setOwnerGroup(directory: string, group: string): Promise<void>;
  removeDirectory(name: string): Promise<void>;

  trash(): TrashEntry[];
  undelete(id: string): Promise<void>;
  purge(id: string): Promise<void>;

  /**
   * Subscribes to changes in their real order, expiry included. The listener must not block; it gets every event whose
   * effect is not yet in a listing taken before this call returns.
   */
  subscribe(listener: (event: CatalogueEvent) => void): () => void;
}

/** Something set aside instead of stopping the server. */
export interface Damage {
  readonly kind: 'image' | 'object' | 'metadata' | 'index' | 'stray';
  /** Image name, object hash or path relative to the data directory. */
  readonly what: string;
  readonly reason: string;
  readonly at: number;
}

export interface ScrubProgress {
  readonly running: boolean;
  /** Milliseconds since the epoch; 0 = not since the start of the server. */
  readonly startedAt: number;
  readonly checkedObjects: number;
  readonly checkedBytes: number;
  /** Objects there are. */
  readonly objects: number;
  readonly failures: number;
  /** Milliseconds since the epoch; 0 = never. */
  readonly lastCompletedAt: number;
}

export interface StoreOptions {
  readonly imageDirectory: string;
  readonly objectDirectory: string;
  readonly log?: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** For tests of faults. */
  readonly disk?: Disk;
  /** Garbage collection leaves an object alone this long after its upload. */
  readonly objectGraceMs?: number;
  /** How long a deleted image can be brought back; 0 = not at all. */
  readonly trashGraceMs?: number;
  /** Uploads are refused rather than leave less than this free on the disk. */
  readonly minFreeBytes?: number;
  /** -objectServerCleanupStartPercent and StopPercent: used share of the file system. */
  readonly startPercent?: number;
  readonly stopPercent?: number;
  /** -objectServerCleanupStartSize and StopSize: bytes of unreferenced objects; 0 = off. */
  readonly startSize?: number;
  readonly stopSize?: number;
  /** -imageServerMaxUnrefData, bytes; 0 = off. */
  readonly maxUnreferencedBytes?: number;
  /** -imageServerMaxUnrefAge; 0 = off. */
  readonly maxUnreferencedAgeMs?: number;
  /** Stored bytes of recently read images kept in memory. */
  readonly readCacheBytes?: number;
  /** 0 = no scrub. */
  readonly scrubBytesPerSecond?: number;
  /** From the end of one scrub to the start of the next. */
  readonly scrubIntervalMs?: number;
}

interface StoreProgress {
  readonly ready: boolean;
  /** Object files compared with the index so far. */
  readonly objectsScanned: number;
  readonly objectsKnown: number;
  readonly imagesLoaded: number;
  readonly imagesFound: number;
}

/** Both stores, open. */
export interface Stores {
  readonly objects: ObjectStore;
  readonly images: ImageStore;
  /**
   * Resolves when the stores may be used: what the index knows is there, and the name of every image. Rejects if they
   * cannot be opened, or are closed before.
   */
  readonly opened: Promise<void>;
  /**
   * Resolves when everything on disk is known; rejects if closed before. Until then nothing is collected and lists may
   * be incomplete.
   */
  readonly ready: Promise<void>;
  readonly scrub: {
    progress(): ScrubProgress;
    /** Checks everything once; `bytesPerSecond` 0 = as fast as it goes. */
    run(bytesPerSecond?: number): Promise<void>;
    /** Everything, from the beginning, as fast as it goes. */
    runWhole(): Promise<void>;
  };
  progress(): StoreProgress;
  damages(): Damage[];
  /** All damages ever seen since the start, by kind. */
  damageCounts(): Record<Damage['kind'], number>;
  /**
   * The server is about to stop: what goes on since the start is broken off, and who waits for it is told. Everything
   * else goes on until `close`.
   */
  stopReading(): void;
  /** Writes what is pending and lets go of the directories. */
  close(): Promise<void>;
}
