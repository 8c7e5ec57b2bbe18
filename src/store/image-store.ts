/** Images in IMAGE_DIR, the original's layout: adding, reading, deleting, expiring, directories. */
import { closeSync, lstatSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { checkImageName, isImageName } from '../image/names.ts';
import { parentDirectory } from '../image/paths.ts';
import { type ImageSummary, patchImage, scanImage } from '../wire/encoded-image.ts';
import type { Directory, Image } from '../wire/messages/image.ts';
import { type GoTime, isZeroTime, toMillis } from '../wire/time.ts';
import { Alarm } from './alarm.ts';
import { Catalogue, type Listener } from './catalogue.ts';
import { writeWhole } from './checksummed-file.ts';
import { type Disk, errno } from './disk.ts';
import { GroupSync } from './group-sync.ts';
import { makeDirectory, removeDirectory, setOwnerGroup } from './image-directories.ts';
import { dropReferences, referToAll, referToPresent } from './image-objects.ts';
import { clearWay, FILE_MODE, healed, placeImage, QUARANTINE } from './image-placing.ts';
import { ImageReader, notFound } from './image-reader.ts';
import type { ImageRecord } from './image-record.ts';
import type { IndexDatabase } from './index-database.ts';
import { Leftovers } from './leftovers.ts';
import type { DirectoryObjectStore } from './object-store.ts';
import type { Reporter } from './reporter.ts';
import { SharedSync } from './shared-sync.ts';
import { Trash } from './trash.ts';
import type {
  AddImageOptions,
  EncodedImage,
  ImageEntry,
  ImageFile,
  ImageStore,
  ImageTree,
  TrashEntry,
} from './types.ts';

const HIDDEN_MODE = 0o700;
const TEMPORARY = '.tmp';
export interface ImageStoreOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly objects: DirectoryObjectStore;
  readonly index: IndexDatabase;
  readonly reporter: Reporter;
  readonly now: () => number;
  /** How long a deleted image can be brought back, milliseconds; 0 = not at all. */
  readonly trashGraceMs: number;
  /** Stored bytes of recently read images kept in memory. */
  readonly readCacheBytes: number;
  readonly minFreeBytes: number;
}

export class DirectoryImageStore implements ImageStore {
  readonly options: ImageStoreOptions;
  readonly catalogue: Catalogue;
  readonly alarm: Alarm;
  readonly deleted: Trash;
  /** Found on disk and not read yet; resolves when it is known what it is. */
  readonly loading = new Map<string, Promise<void>>();
  readonly leftovers: Leftovers;
  /** Somebody waits for these: read first. */
  readonly wanted = new Set<string>();
  readonly reader: ImageReader;
  /** What many images that come at once wait for. */
  readonly sync: GroupSync;
  readonly #rootFd: number;
  readonly #locks = new Map<string, Promise<unknown>>();
  /** Names being written, by directory. */
  readonly #writing = new Map<string, number>();
  #temporaries = 0;

  constructor(options: ImageStoreOptions) {
    this.options = options;
    const { directory, disk, objects, reporter, now } = options;
    this.#rootFd = openSync(directory, 'r');
    // On one file system with the objects its syncs are shared with them.
    const together = statSync(directory).dev === statSync(objects.options.directory).dev;
    this.sync = new GroupSync(together ? objects.sync : new SharedSync(disk, this.#rootFd));
    this.catalogue = new Catalogue((line) => reporter.log(line));
    this.reader = new ImageReader(this, options.readCacheBytes);
    this.alarm = new Alarm(now, (key) => this.#ring(key));
    // Before the references of all images are counted none may be dropped.
    this.alarm.hold();
    this.deleted = new Trash(this);
    this.leftovers = new Leftovers(options);
    for (const name of [TEMPORARY, QUARANTINE]) disk.mkdir(join(directory, name), HIDDEN_MODE);
  }

  close(): void {
    this.alarm.stop();
    closeSync(this.#rootFd);
  }

  /** Resolves when no change is under way. */
  async settled(): Promise<void> {
    while (this.#locks.size > 0) await Promise.allSettled(this.#locks.values());
  }

  // Reading

  get size(): number {
    return this.catalogue.images.size;
  }

  has(name: string): boolean {
    return this.catalogue.images.has(name);
  }

  get(name: string): ImageEntry | undefined {
    return this.catalogue.images.get(name)?.entry;
  }

  pending(name: string): Promise<void> | undefined {
    const loading = this.loading.get(name);
    if (loading) this.wanted.add(name);
    return loading;
  }

  names(): Iterable<string> {
    return this.catalogue.images.keys();
  }

  *entries(): Iterable<ImageEntry> {
    for (const { entry } of this.catalogue.images.values()) yield entry;
  }

  get generation(): number {
    return this.catalogue.generation;
  }

  listing(): Uint8Array {
    return this.catalogue.listing();
  }

  findLatest(directory: string, accept: (entry: ImageEntry) => boolean): ImageEntry | undefined {
    if (!this.catalogue.hasDirectory(directory))
      throw new ImageServerError('DIRECTORY_NOT_FOUND', `unknown directory: ${directory}`);
    for (const entry of this.catalogue.newestIn(directory)) if (accept(entry)) return entry;
    return undefined;
  }

  async read(name: string): Promise<EncodedImage> {
    return { bytes: await this.reader.bytes(name) };
  }

  inspect<T>(name: string, work: (bytes: Uint8Array) => T): Promise<T> {
    return this.reader.inspect(name, work);
  }

  openFile(name: string, identity: string): ImageFile | undefined {
    return this.reader.openFile(name, identity);
  }

  header(name: string): Promise<Image> {
    return this.reader.header(name);
  }

  tree(name: string, signal?: AbortSignal): Promise<ImageTree> {
    return this.reader.tree(name, signal);
  }

  // Changing

  add(name: string, image: EncodedImage, options: AddImageOptions = {}): Promise<void> {
    checkImageName(name);
    return this.exclusive(name, async () => {
      await this.pending(name);
      if (this.has(name) && !options.replace)
        throw new ImageServerError('IMAGE_EXISTS', `image: ${name} already exists`);
      this.#checkParent(name);
      const { createdBy, createdOn } = options;
      const patched =
        createdBy === undefined && !createdOn
          ? image
          : await patchImage(image, {
              ...(createdBy === undefined ? {} : { createdBy }),
              ...(createdOn ? { createdOn } : {}),
            });
      const summary = patched.summary ?? (await scanImage(patched.bytes));
      if (!summary.hasFileSystem) throw new ImageServerError('INVALID_IMAGE', 'nil file-system');
      const slots = await referToPresent(this.options.objects, summary);
      const problem = summary.problems[0];
      const isPast = this.#isPast(summary.header.ExpiresAt);
      if (isPast || (problem !== undefined && !options.lenient)) dropReferences(this.options.objects, slots);
      if (problem !== undefined && !options.lenient) throw new ImageServerError('INVALID_IMAGE', problem);
      if (isPast) {
        this.options.reporter.log(`Ignoring already expired image: ${name}`);
        return;
      }
      await placeImage(this, name, patched.bytes.subarray(0, summary.gobLength), summary, slots);
    });
  }

  remove(name: string, options: { by?: string } = {}): Promise<void> {
    return this.exclusive(name, async () => {
      await this.pending(name);
      const record = this.catalogue.images.get(name);
      if (!record) return this.#removeDamaged(name);
      let id: string | undefined;
      try {
        if (this.options.trashGraceMs > 0) id = await this.#toTrash(record, options.by ?? '');
      } catch (thrown) {
        // It was found to be damaged just now, and has been set aside.
        if (this.isDamaged(name)) return this.#removeDamaged(name);
        throw thrown;
      }
      let failure: unknown;
      try {
        await this.#putTombstone(name);
      } catch (thrown) {
        failure = thrown;
        if (id !== undefined) await this.deleted.giveBack(id);
        // What cannot be brought back is deleted, though nobody is told that it will stay so.
        if (id !== undefined || !this.#isTombstone(name)) throw thrown;
      }
      if (id === undefined) dropReferences(this.options.objects, record.slots);
      this.#hide(record);
      this.catalogue.emit({ kind: 'delete', name });
      if (failure !== undefined) throw failure;
    });
  }

  /** Nothing that could be brought back: the file goes to the quarantine, and a tombstone takes its place. */
  async #removeDamaged(name: string): Promise<void> {
    if (!this.isDamaged(name)) throw notFound(name);
    const { directory, disk } = this.options;
    const path = this.pathOf(name);
    const aside = clearWay(this, name, path);
    try {
      await disk.syncPath(join(directory, QUARANTINE));
      await this.#putTombstone(name);
    } catch (thrown) {
      if (aside !== undefined) disk.rename(aside, path);
      throw thrown;
    }
    healed(this, name, 'Deleted damaged');
    this.catalogue.emit({ kind: 'delete', name });
  }

  #isTombstone(name: string): boolean {
    return lstatSync(this.pathOf(name), { throwIfNoEntry: false })?.size === 0;
  }

  /** On a full disk deleting still works, but cannot be undone, as if the file has gone: undefined. */
  async #toTrash(record: ImageRecord, deletedBy: string): Promise<string | undefined> {
    const { reporter } = this.options;
    const { name } = record.entry;
    try {
      return await this.deleted.take(record, deletedBy);
    } catch (thrown) {
      if (!['ENOSPC', 'EDQUOT', 'ENOENT'].includes(errno(thrown))) throw thrown;
      reporter.log(
        errno(thrown) === 'ENOENT'
          ? `Nothing left to keep of: ${name}`
          : `No space for the trash: ${name} is deleted for good`,
      );
      return undefined;
    }
  }

  /** The original knows a deleted image by a file of length 0 under its name. */
  async #putTombstone(name: string): Promise<void> {
    const { disk } = this.options;
    const path = this.pathOf(name);
    try {
      await writeWhole(disk, path, this.temporaryPath(), [], FILE_MODE);
    } catch (thrown) {
      // Cutting the file off in place needs no space; not while the trash has a link to it.
      const nlink = lstatSync(path, { throwIfNoEntry: false })?.nlink;
      if (errno(thrown) !== 'ENOSPC' || nlink !== 1) throw thrown;
      disk.truncate(path);
      await disk.syncPath(path);
    }
  }

  setExpiry(name: string, expiresAt: GoTime): Promise<void> {
    return this.exclusive(name, async () => {
      await this.pending(name);
      const record = this.catalogue.images.get(name);
      if (!record) throw notFound(name);
      const patched = await patchImage({ bytes: await this.reader.bytes(name, true) }, { expiresAt });
      const summary = patched.summary ?? (await scanImage(patched.bytes));
      // The new version refers to the same objects: one more reference each until the old one is dropped.
      const slots = await this.#referAgain(summary);
      await placeImage(this, name, patched.bytes, summary, slots);
    });
  }

  /** An image some of whose objects are missing keeps the references it has. */
  async #referAgain(summary: ImageSummary): Promise<Uint8Array> {
    const { objects } = this.options;
    try {
      return await referToPresent(objects, summary);
    } catch (thrown) {
      if (!(thrown instanceof ImageServerError) || thrown.code !== 'OBJECTS_MISSING') throw thrown;
      return (await referToAll(objects, summary)).slots;
    }
  }

  #isPast(expiresAt: GoTime): boolean {
    return !isZeroTime(expiresAt) && toMillis(expiresAt) <= this.options.now();
  }

  /** Key of the alarm: `image <name>` or `trash <id>`. */
  #ring(key: string): void {
    const [kind, what] = [key.slice(0, 5), key.slice(6)];
    const work = kind === 'image' ? this.#expire(what) : this.deleted.purgeDue(what);
    work.catch((thrown) => {
      this.options.reporter.log(`Cannot remove what has expired: ${what}: ${thrown}`);
      // Tried again; the image stays visible until its file is gone.
      this.alarm.set(key, this.options.now() + 60_000);
    });
  }

  #expire(name: string): Promise<void> {
    return this.exclusive(name, async () => {
      const record = this.catalogue.images.get(name);
      if (!record || !this.#isPast(record.entry.expiresAt)) return;
      this.options.reporter.log(`Auto expiring (deleting) image: ${name}`);
      await this.unlinkFile(name);
      dropReferences(this.options.objects, record.slots);
      this.#hide(record);
      this.catalogue.emit({ kind: 'delete', name, expired: true });
    });
  }

  /** Removes a file of IMAGE_DIR, durably. No error if it is gone. */
  async unlinkFile(name: string): Promise<void> {
    const path = this.pathOf(name);
    try {
      this.options.disk.unlink(path);
    } catch (thrown) {
      if (errno(thrown) !== 'ENOENT') throw thrown;
    }
    await this.options.disk.syncPath(join(this.options.directory, parentDirectory(name)));
  }

  /** Makes an image visible; it refers to its objects already. */
  show(record: ImageRecord): void {
    const { name, expiresAt } = record.entry;
    this.catalogue.put(record);
    this.alarm.set(`image ${name}`, isZeroTime(expiresAt) ? undefined : toMillis(expiresAt));
  }

  #hide(record: ImageRecord): void {
    const { name, identity } = record.entry;
    this.catalogue.remove(name);
    this.alarm.set(`image ${name}`, undefined);
    this.reader.drop(identity);
    this.options.index.dropImage(name);
  }

  isDamaged(name: string): boolean {
    if (this.has(name) || this.loading.has(name)) return false;
    if (this.damaged.has(name)) return true;
    if (!isImageName(name) || !this.hasDirectory(parentDirectory(name))) return false;
    const found = lstatSync(this.pathOf(name), { throwIfNoEntry: false });
    return found?.isFile() === true && found.size > 0;
  }

  unreadable(): string[] {
    return this.options.reporter
      .damages()
      .filter(({ kind, what }) => kind === 'image' && !this.has(what))
      .map(({ what }) => what);
  }

  /**
   * A damaged image is not served any more. Its file stays where it is until something takes its place, its objects
   * stay referred to: an upload of the image or the master may heal it. Replicas are not told to delete theirs.
   */
  setAside(name: string, reason: string): void {
    const record = this.catalogue.images.get(name);
    this.options.reporter.damage('image', name, reason);
    if (!record) return;
    this.#hide(record);
    this.damaged.set(name, record);
  }

  /** Images set aside, with the references they keep. */
  readonly damaged = new Map<string, ImageRecord>();

  // Directories

  hasDirectory(name: string): boolean {
    return this.catalogue.hasDirectory(name);
  }

  directories(): readonly Directory[] {
    return this.catalogue.directories();
  }

  ownerGroup(directory: string): string | undefined {
    return this.catalogue.ownerGroup(directory);
  }

  makeDirectory(name: string, ownerGroup = ''): Promise<void> {
    return makeDirectory(this, name, ownerGroup);
  }

  setOwnerGroup(directory: string, group: string): Promise<void> {
    return setOwnerGroup(this, directory, group);
  }

  removeDirectory(name: string): Promise<void> {
    return removeDirectory(this, name);
  }

  // Trash

  trash(): TrashEntry[] {
    return this.deleted.entries();
  }

  undelete(id: string): Promise<void> {
    return this.deleted.undelete(id);
  }

  purge(id: string): Promise<void> {
    return this.deleted.purge(id);
  }

  subscribe(listener: Listener): () => void {
    return this.catalogue.subscribe(listener);
  }

  // On disk

  pathOf(name: string): string {
    return join(this.options.directory, name);
  }

  temporaryPath(): string {
    const { directory, now } = this.options;
    return join(directory, TEMPORARY, `${now().toString(36)}-${++this.#temporaries}`);
  }

  #checkParent(name: string): void {
    const parent = parentDirectory(name);
    if (!this.hasDirectory(parent))
      throw new ImageServerError('DIRECTORY_NOT_FOUND', `no metadata for: "${parent}"`);
    if (this.hasDirectory(name))
      throw new ImageServerError('IMAGE_EXISTS', `there is a directory of that name: ${name}`);
  }

  /** Resolves when the present change of an image is over; undefined if there is none. */
  changing(name: string): Promise<unknown> | undefined {
    return this.#locks.get(name);
  }

  /** True while something directly inside a directory is being changed. */
  isWritingIn(directory: string): boolean {
    return this.#writing.has(directory);
  }

  /** Changes of one name come one after the other. */
  exclusive<T>(name: string, work: () => Promise<T>): Promise<T> {
    const parent = parentDirectory(name);
    this.#writing.set(parent, (this.#writing.get(parent) ?? 0) + 1);
    const before = this.#locks.get(name) ?? Promise.resolve();
    const run = before.then(work, work).finally(() => {
      if (this.#locks.get(name) === settled) this.#locks.delete(name);
      const left = (this.#writing.get(parent) ?? 1) - 1;
      if (left === 0) this.#writing.delete(parent);
      else this.#writing.set(parent, left);
    });
    const settled = run.catch(() => undefined); // The caller is told through `run`.
    this.#locks.set(name, settled);
    return run;
  }
}
