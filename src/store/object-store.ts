/** Objects in OBJECT_DIR, the original's layout: what is there, opening, quarantine. Uploads and collection are beside. */
import { closeSync, fstatSync, lstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { collectUnreferenced } from './collect.ts';
import { closeFile, type Disk, errno } from './disk.ts';
import { Finds } from './finds.ts';
import { Leftovers } from './leftovers.ts';
import { HASH_BYTES, hashBytes, hashText, objectPath } from './object-hash.ts';
import { type ObjectTable, SlotState } from './object-table.ts';
import { DirectoryUpload } from './object-upload.ts';
import type { Reporter } from './reporter.ts';
import { SharedSync } from './shared-sync.ts';
import type { SpaceGuard } from './space-guard.ts';
import type {
  CollectResult,
  Hash,
  ObjectReader,
  ObjectStore,
  ObjectTotals,
  ObjectUpload,
  UnreferencedEntry,
} from './types.ts';

export const DIRECTORY_MODE = 0o700;
export const FILE_MODE = 0o640;
export const TEMPORARY = '.tmp';
const QUARANTINE = '.quarantine';
/** Looks at the disk per call once everything there is known: enough for objects put there by hand. */
const LOOKS_PER_CALL = 1000;

export interface ObjectStoreOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly table: ObjectTable;
  readonly reporter: Reporter;
  readonly now: () => number;
  /** Garbage collection leaves an object alone this long after its upload, milliseconds. */
  readonly graceMs: number;
  readonly space: SpaceGuard;
  /** True once every object and image on disk is known. */
  readonly isReady: () => boolean;
}

class OpenObject implements ObjectReader {
  readonly hash: Hash;
  readonly size: number;
  readonly fd: number;
  readonly path: string;
  #open = true;

  constructor(hash: Hash, size: number, fd: number, path: string) {
    this.hash = hash;
    this.size = size;
    this.fd = fd;
    this.path = path;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeFile(this.fd, this.size);
  }
}

export class DirectoryObjectStore implements ObjectStore {
  readonly options: ObjectStoreOptions;
  readonly table: ObjectTable;
  readonly sync: SharedSync;
  readonly finds: Finds;
  readonly leftovers: Leftovers;
  /**
   * Being renamed into place, not yet durable, and by how many commits: not to be found by looking at the disk, and
   * not to be collected if another upload has brought the same object.
   */
  readonly inFlight = new Map<Hash, number>();
  /** Being collected: not known any more, but perhaps still in place. Nothing may be put there until that is over. */
  readonly leaving = new Map<Hash, Promise<void>>();
  /** Leaf directories (16 bits of hash) whose entries in their parents are durable. */
  readonly durableLeaves = new Uint8Array(65536);
  /** Damaged objects whose file could not be moved away. */
  readonly unmovable = new Set<Hash>();
  readonly #rootFd: number;
  readonly #scratch = Buffer.alloc(HASH_BYTES);
  #temporaries = 0;
  #collecting: Promise<unknown> = Promise.resolve();

  constructor(options: ObjectStoreOptions) {
    this.options = options;
    this.table = options.table;
    options.disk.mkdir(join(options.directory, TEMPORARY), DIRECTORY_MODE);
    this.#rootFd = openSync(options.directory, 'r');
    this.sync = new SharedSync(options.disk, this.#rootFd);
    this.finds = new Finds(options.disk, options.directory, this.sync);
    this.leftovers = new Leftovers(options);
  }

  close(): void {
    closeSync(this.#rootFd);
  }

  pathOf(hash: Hash): string {
    return `${this.options.directory}/${objectPath(hash)}`;
  }

  temporaryPath(): string {
    return `${this.options.directory}/${TEMPORARY}/${this.options.now().toString(36)}-${++this.#temporaries}`;
  }

  /** Slot of an object that is here, or 0; looks at the disk if it is not known. */
  locate(bytes: Uint8Array, at: number): number {
    const slot = this.table.find(bytes, at);
    return slot !== 0 && this.table.isPresent(slot) ? slot : this.#look(bytes, at);
  }

  locateHash(hash: Hash): number {
    return this.locate(hashBytes(hash, this.#scratch), 0);
  }

  /** As `locate`, for uploads: once all is known a file put there by hand may as well be replaced by its equal. */
  locateForUpload(bytes: Uint8Array, at = 0): number {
    if (!this.options.isReady()) return this.locate(bytes, at);
    const slot = this.table.find(bytes, at);
    return slot !== 0 && this.table.isPresent(slot) ? slot : 0;
  }

  #look(bytes: Uint8Array, at: number): number {
    const hash = hashText(bytes, at);
    if (this.inFlight.has(hash) || this.unmovable.has(hash) || this.leaving.has(hash)) return 0;
    const path = this.pathOf(hash);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found?.isFile() || found.size === 0) return 0;
    this.finds.found(path, found.ctimeMs);
    return this.table.add(bytes, at, found.size, this.options.now());
  }

  size(hash: Hash): number {
    const slot = this.locateHash(hash);
    return slot === 0 ? 0 : (this.table.sizes[slot] as number);
  }

  sizes(hashes: readonly Hash[]): number[] {
    const table = this.table;
    const sizes = new Array<number>(hashes.length);
    const until = this.#graceEnd();
    let looks = this.options.isReady() ? LOOKS_PER_CALL : Number.POSITIVE_INFINITY;
    for (let index = 0; index < hashes.length; index++) {
      const hash = hashes[index] as Hash;
      let slot = table.findText(hash);
      if (slot === 0 || !table.isPresent(slot))
        slot = looks-- > 0 ? this.#look(hashBytes(hash, this.#scratch), 0) : 0;
      sizes[index] = slot === 0 ? 0 : (table.sizes[slot] as number);
      // Whoever asks will rely on the answer: an image using it may come next.
      if (slot !== 0 && table.references[slot] === 0) table.protect(slot, until);
    }
    return sizes;
  }

  #graceEnd(): number {
    return Math.ceil((this.options.now() + this.options.graceMs) / 1000);
  }

  lease(slot: number): void {
    this.table.lease(slot);
  }

  release(slot: number): void {
    this.table.release(slot, this.options.graceMs > 0 ? this.#graceEnd() : 0);
  }

  open(hash: Hash): ObjectReader {
    const slot = this.#slotOf(hash);
    const path = this.pathOf(hash);
    const fd = this.#openFile(slot, hash, path);
    const { size } = fstatSync(fd);
    if (size === this.table.sizes[slot]) return new OpenObject(hash, size, fd, path);
    closeSync(fd);
    throw this.#wrongLength(slot, hash, size);
  }

  readInto(hash: Hash, size: number, into: Uint8Array, at: number): void {
    const slot = this.#slotOf(hash);
    const fd = this.#openFile(slot, hash, this.pathOf(hash));
    let length = 0;
    try {
      for (let count = 1; count > 0 && length < size; length += count)
        count = readSync(fd, into, at + length, size + 1 - length, length);
      if (length !== size) length = fstatSync(fd).size;
    } finally {
      closeSync(fd);
    }
    if (length !== size || size !== this.table.sizes[slot]) throw this.#wrongLength(slot, hash, length);
  }

  #slotOf(hash: Hash): number {
    const slot = this.locateHash(hash);
    if (slot === 0) throw new ImageServerError('OBJECT_NOT_FOUND', `unknown object: ${hash}`);
    return slot;
  }

  #openFile(slot: number, hash: Hash, path: string): number {
    try {
      return openSync(path, 'r');
    } catch (thrown) {
      if (errno(thrown) === 'ENOENT') {
        this.lost(slot, 'file is gone');
        throw new ImageServerError('OBJECT_NOT_FOUND', `unknown object: ${hash}`, { cause: thrown });
      }
      throw new ImageServerError('INTERNAL', `cannot open object: ${hash}`, { cause: thrown });
    }
  }

  #wrongLength(slot: number, hash: Hash, length: number): ImageServerError {
    const reason = `length is ${length}, should be ${this.table.sizes[slot]}`;
    if (length !== this.table.sizes[slot]) this.quarantine(slot, reason);
    return new ImageServerError('CORRUPT', `object: ${hash} is damaged: ${reason}`);
  }

  upload(): ObjectUpload {
    return new DirectoryUpload(this);
  }

  totals(): ObjectTotals {
    const { objects, bytes, unreferencedObjects, unreferencedBytes, missingObjects } = this.table;
    return { objects, bytes, unreferencedObjects, unreferencedBytes, missingObjects };
  }

  entryOf(slot: number): UnreferencedEntry {
    const { hashes, sizes, since } = this.table;
    return {
      hash: hashText(hashes, slot * HASH_BYTES),
      size: sizes[slot] as number,
      since: since[slot] as number,
    };
  }

  *unreferenced(): Iterable<UnreferencedEntry> {
    for (const slot of this.table.unreferencedSlots())
      if (this.table.isUnreferenced(slot)) yield this.entryOf(slot);
  }

  *missing(): Iterable<{ hash: Hash; size: number }> {
    const { table } = this;
    for (let slot = 1; slot < table.end; slot++)
      if (table.isMissing(slot))
        yield { hash: hashText(table.hashes, slot * HASH_BYTES), size: table.sizes[slot] as number };
  }

  /** One collection at a time; a later one starts from what the earlier one left. */
  collect(
    wanted: (count: number, bytes: number, next: UnreferencedEntry) => boolean,
    options?: { dryRun?: boolean },
  ): Promise<CollectResult> {
    const run = this.#collecting.then(() => collectUnreferenced(this, wanted, options?.dryRun ?? false));
    this.#collecting = run.catch(() => undefined); // The caller hears of the failure, the next one starts anyway.
    return run;
  }

  space(): { capacity: number; free: number } {
    return this.options.disk.space(this.options.directory);
  }

  /** The file has vanished: the object is missing from now on. */
  lost(slot: number, reason: string): void {
    if (this.table.references[slot] !== 0)
      this.options.reporter.damage('object', hashText(this.table.hashes, slot * HASH_BYTES), reason);
    this.table.remove(slot);
  }

  /**
   * Puts a damaged object's file aside; the object is missing from now on, an upload of it heals that. `inode`: of the
   * file that was found to be damaged; false, and nothing is done, if another one has taken its place meanwhile.
   */
  quarantine(slot: number, reason: string, inode?: bigint): boolean {
    const hash = hashText(this.table.hashes, slot * HASH_BYTES);
    if (inode !== undefined) {
      const there = lstatSync(this.pathOf(hash), { bigint: true, throwIfNoEntry: false });
      if (there && there.ino !== inode) return false;
    }
    if (this.table.states[slot] === SlotState.Present) this.table.remove(slot);
    this.setAside(hash, reason);
    return true;
  }

  /** Reports a file under an object's name and moves it to the quarantine. */
  setAside(hash: Hash, reason: string): void {
    const { directory, disk, now, reporter } = this.options;
    reporter.damage('object', hash, reason);
    try {
      disk.mkdir(join(directory, QUARANTINE), DIRECTORY_MODE);
      disk.rename(this.pathOf(hash), join(directory, QUARANTINE, `${hash}.${now()}`));
    } catch (thrown) {
      // It is not served all the same, and an upload of the object replaces it.
      reporter.log(`Cannot quarantine object: ${hash}: ${errno(thrown)}`);
      this.unmovable.add(hash);
    }
  }

  /** True if the stored object has just these bytes. For small ones: reads at once. */
  holdsExactly(hash: Hash, bytes: Uint8Array): boolean {
    try {
      return readFileSync(this.pathOf(hash)).equals(bytes);
    } catch (thrown) {
      if (errno(thrown) !== 'ENOENT')
        this.options.reporter.damage('object', hash, `cannot read: ${errno(thrown)}`);
      return false;
    }
  }
}
