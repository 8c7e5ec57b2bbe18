/**
 * The start of the image store: a walk over IMAGE_DIR finds every image, those the index knows are there at once, the
 * others are read one by one in the background. Nothing found can stop it.
 */
import { accessSync, type BigIntStats, constants, lstatSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { checkDirectoryName, checkImageName } from '../image/names.ts';
import { type ImageSummary, scanImage } from '../wire/encoded-image.ts';
import { isZeroTime, toMillis } from '../wire/time.ts';
import { CHECKSUM_BYTES, checksumState, sha512 } from './checksummed-file.ts';
import { readOwnerGroup } from './directory-metadata.ts';
import { errno } from './disk.ts';
import { referToAll } from './image-objects.ts';
import { entryOf, type ImageRecord, recordOf, rowOf, stampOf } from './image-record.ts';
import type { DirectoryImageStore } from './image-store.ts';
import { release } from './release.ts';
import { readTrash, Trash, type TrashDescription } from './trash.ts';
import { Turn } from './turn.ts';

interface Unread {
  readonly name: string;
  /** Relative to IMAGE_DIR. */
  readonly path: string;
  readonly trash?: { readonly id: string; readonly description: TrashDescription };
  readonly done: (failure?: unknown) => void;
}

interface StampedFile {
  readonly stamp: string;
  readonly file: Buffer;
}

/** Larger ones are not read ahead, bytes. */
const MAX_AHEAD = 16 * 1024 * 1024;

/** A file and what it was before it was read. */
async function readStamped(path: string): Promise<StampedFile> {
  const stamp = stampOf(lstatSync(path, { bigint: true }));
  return { stamp, file: await readFile(path) };
}

export class ImageLoader {
  readonly #store: DirectoryImageStore;
  /** What the index knows; those that are found and are still the same are taken out. */
  #rows = new Set<string>();
  readonly #unread: Unread[] = [];
  readonly #turn = new Turn();
  #inodes = new Map<string, bigint>();
  /** What is probably read next. */
  #ahead: { readonly path: string; readonly file: Promise<StampedFile> } | undefined;
  /** Images known so far, and found in all. */
  loaded = 0;
  found = 0;

  readonly #signal: AbortSignal;

  constructor(store: DirectoryImageStore, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  /**
   * Takes in all names and what the index knows of them. Before anybody else uses the stores. `rows`: paths the index
   * has; their objects are in the table, references not counted yet.
   */
  async walk(rows: Set<string>): Promise<void> {
    this.#rows = rows;
    await this.#walkDirectory('.');
    await this.#walkTrash();
    for (const path of this.#rows) this.#store.options.index.dropImage(path);
    this.#rows.clear();
    this.#inodes = new Map();
  }

  /** Those not read yet will not be: who waits for one of them is told why. */
  giveUp(reason: unknown): void {
    for (const { done } of this.#unread) done(reason);
  }

  /** Reads the images the index did not know. */
  async readUnread(): Promise<void> {
    for (let next = this.#next(); next; next = this.#next()) {
      if (this.#signal.aborted) {
        this.#unread.push(next);
        throw this.#signal.reason;
      }
      try {
        const file = await this.#file(next.path);
        // While this one is looked at.
        this.#readAhead();
        await this.#read(next, file);
        if (file.file.length === file.file.buffer.byteLength) release(file.file);
      } catch (thrown) {
        // The message of a system error holds a path.
        this.#damage(next.name, `cannot load: ${errno(thrown) || (thrown as Error).message}`);
      }
      if (!next.trash) {
        this.#store.loading.delete(next.name);
        this.#store.wanted.delete(next.name);
      }
      next.done();
      this.loaded++;
    }
  }

  #next(): Unread | undefined {
    const { wanted } = this.#store;
    if (wanted.size === 0) return this.#unread.shift();
    const at = this.#unread.findIndex(({ name, trash }) => !trash && wanted.delete(name));
    return at < 0 ? this.#unread.shift() : this.#unread.splice(at, 1)[0];
  }

  async #file(path: string): Promise<StampedFile> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead?.path === path ? ahead.file : readStamped(this.#store.pathOf(path));
  }

  #readAhead(): void {
    const path = this.#unread[0]?.path;
    if (path === undefined) return;
    const absolute = this.#store.pathOf(path);
    const size = lstatSync(absolute, { throwIfNoEntry: false })?.size ?? 0;
    if (size > MAX_AHEAD) return;
    const file = readStamped(absolute);
    file.catch(() => undefined); // Whoever asks for it is told.
    this.#ahead = { path, file };
  }

  #damage(name: string, reason: string): void {
    this.#store.options.reporter.damage('image', name, reason);
  }

  async #walkDirectory(name: string): Promise<void> {
    const path = this.#store.pathOf(name);
    const { reporter } = this.#store.options;
    let group = '';
    try {
      group = await readOwnerGroup(path);
    } catch (thrown) {
      // Without a group nobody gets in but those with access to the method: the safe side.
      reporter.damage('metadata', name, (thrown as Error).message);
    }
    this.#store.catalogue.putDirectory(name, group);
    let files: string[];
    try {
      files = await readdir(path);
    } catch (thrown) {
      reporter.damage('stray', name, `cannot read directory: ${errno(thrown)}`);
      return;
    }
    for (const file of files) {
      if (file.startsWith('.')) continue;
      if (this.#turn.over()) await this.#turn.next();
      this.#signal.throwIfAborted();
      await this.#take(name === '.' ? file : `${name}/${file}`);
    }
  }

  async #take(name: string): Promise<void> {
    const { reporter } = this.#store.options;
    let stat: BigIntStats;
    try {
      stat = lstatSync(this.#store.pathOf(name), { bigint: true });
    } catch (thrown) {
      reporter.damage('stray', name, `cannot look at it: ${errno(thrown)}`);
      return;
    }
    const isDirectory = stat.isDirectory();
    if (!isDirectory && !stat.isFile()) return;
    if (!isDirectory && name.endsWith('~')) {
      this.#store.leftovers.take(this.#store.pathOf(name), Number(stat.mtimeMs));
      return;
    }
    try {
      (isDirectory ? checkDirectoryName : checkImageName)(name);
    } catch (thrown) {
      reporter.damage('stray', name, (thrown as Error).message);
      return;
    }
    if (isDirectory) return this.#walkDirectory(name);
    if (stat.size === 0n) return;
    this.found++;
    this.#inodes.set(name, stat.ino);
    const record = this.#known(name, stat);
    if (!record) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      promise.catch(() => undefined); // Perhaps nobody waits for it.
      this.#store.loading.set(name, promise);
      this.#unread.push({ name, path: name, done: (failure) => (failure ? reject(failure) : resolve()) });
    } else {
      this.loaded++;
      if (await this.#removeExpired(name, record.entry.expiresAt)) return;
      this.#store.options.objects.table.count(record.slots);
      this.#store.show(record);
    }
  }

  /** The record the index has of a file, if the file is still the same and its objects can be found in the table. */
  #known(path: string, stat: BigIntStats): ImageRecord | undefined {
    if (!this.#rows.has(path)) return undefined;
    const { objects, index } = this.#store.options;
    const row = index.image(path);
    if (row?.stamp !== stampOf(stat)) return undefined;
    let record: ImageRecord;
    try {
      // One that may not be read any more is told so when it is read.
      accessSync(this.#store.pathOf(path), constants.R_OK);
      record = recordOf(row);
    } catch {
      return undefined; // Or written by something else: read from the file instead.
    }
    if (!objects.table.means(record.slots, row.fingerprint)) return undefined;
    this.#rows.delete(path);
    return record;
  }

  async #removeExpired(name: string, expiresAt: ImageRecord['entry']['expiresAt']): Promise<boolean> {
    const { reporter, now, index } = this.#store.options;
    if (isZeroTime(expiresAt) || toMillis(expiresAt) > now()) return false;
    reporter.log(`Deleting already expired image: ${name}`);
    try {
      await this.#store.unlinkFile(name);
    } catch (thrown) {
      // It stays visible until its file is gone; the alarm tries again.
      reporter.log(`Cannot delete an expired image: ${name}: ${errno(thrown)}`);
      return false;
    }
    index.dropImage(name);
    return true;
  }

  async #walkTrash(): Promise<void> {
    const { directory, disk, reporter } = this.#store.options;
    const remove = (path: string) => {
      try {
        disk.unlink(path);
      } catch (thrown) {
        reporter.log(`Cannot remove a left-over file: ${path}: ${errno(thrown)}`);
      }
    };
    for (const [id, description] of readTrash(directory, remove, (what, why) =>
      reporter.damage('stray', what, why),
    )) {
      if (this.#turn.over()) await this.#turn.next();
      const path = Trash.pathIn(id);
      const stat = lstatSync(this.#store.pathOf(path), { bigint: true });
      if (this.#inodes.get(description.name) === stat.ino) {
        // A deletion that was interrupted before the tombstone: it never was acknowledged.
        remove(this.#store.pathOf(path));
        remove(`${this.#store.pathOf(path)}.json`);
        continue;
      }
      this.found++;
      const record = this.#known(path, stat);
      if (record) {
        this.loaded++;
        this.#store.options.objects.table.count(record.slots);
        this.#store.deleted.put(id, description, record);
      } else {
        this.#unread.push({
          name: description.name,
          path,
          trash: { id, description },
          done: () => undefined,
        });
      }
    }
  }

  async #read({ name, path, trash }: Unread, { stamp, file }: StampedFile): Promise<void> {
    const { objects, index } = this.#store.options;
    // On a thread, while the bytes are looked at: most files end with their checksum.
    const likely = Math.max(file.length - CHECKSUM_BYTES, 0);
    const digesting = sha512(file.subarray(0, likely));
    let summary: ImageSummary;
    try {
      summary = await scanImage(file);
    } catch (thrown) {
      this.#damage(name, `not an image or cut off: ${(thrown as Error).message}`);
      return;
    }
    // Decoding ends with a look at the whole tree.
    await this.#turn.next();
    const { gobLength } = summary;
    const digest = await (gobLength === likely ? digesting : sha512(file.subarray(0, gobLength)));
    const state = checksumState(file, gobLength, digest);
    if (state === 'wrong') {
      this.#damage(name, 'checksum mismatch');
      return;
    }
    // The original leaves such files when it is killed. They are used, but nobody vouches for them: not rewritten.
    if (state !== 'good') this.#damage(name, `checksum is ${state}; accepted unchecked`);
    if (!trash && (await this.#removeExpired(name, summary.header.ExpiresAt))) return;
    const { slots, missing, first } = await referToAll(objects, summary);
    if (missing > 0)
      this.#damage(
        name,
        missing === 1 ? `object: ${first} is not available` : `${missing} objects are not available`,
      );
    const record: ImageRecord = {
      entry: entryOf(name, digest.toString('hex'), summary),
      slots,
      stamp,
      verified: true,
    };
    index.putImage(rowOf(path, record, summary.header));
    if (trash) {
      this.#store.deleted.put(trash.id, trash.description, record);
    } else {
      this.#store.show(record);
      this.#store.catalogue.emit({ kind: 'add', name });
    }
  }
}
