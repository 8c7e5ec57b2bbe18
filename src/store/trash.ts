/**
 * Deleted images for the time of grace: the file as a hidden link IMAGE_DIR/.trash/<id>, a description beside it. The
 * image keeps its references, so garbage collection leaves its objects alone.
 */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { checkImageName } from '../image/names.ts';
import { parentDirectory } from '../image/paths.ts';
import { scanImage } from '../wire/encoded-image.ts';
import { decodeOnce } from '../wire/gob/decoder.ts';
import { Image } from '../wire/messages/image.ts';
import { isZeroTime, toMillis } from '../wire/time.ts';
import { writeWhole } from './checksummed-file.ts';
import { errno } from './disk.ts';
import { dropReferences } from './image-objects.ts';
import { clearWay, healed } from './image-placing.ts';
import { readVerified } from './image-reader.ts';
import { type ImageRecord, rowOf } from './image-record.ts';
import type { DirectoryImageStore } from './image-store.ts';
import { eachSlot } from './slot-list.ts';
import type { TrashEntry } from './types.ts';

const TRASH = '.trash';
const DESCRIPTION = '.json';
const ID = /^[0-9a-z]+-[0-9a-f]{8}$/;

export type TrashDescription = Omit<TrashEntry, 'id' | 'identity' | 'dataBytes'>;

interface Deleted {
  readonly description: TrashDescription;
  readonly record: ImageRecord;
}

export class Trash {
  readonly #store: DirectoryImageStore;
  readonly #deleted = new Map<string, Deleted>();

  constructor(store: DirectoryImageStore) {
    this.#store = store;
    store.options.disk.mkdir(join(store.options.directory, TRASH), 0o700);
  }

  static pathIn(id: string): string {
    return `${TRASH}/${id}`;
  }

  /** Newest first. */
  entries(): TrashEntry[] {
    const entries: TrashEntry[] = [];
    for (const [id, { description, record }] of this.#deleted) {
      const { identity, dataBytes } = record.entry;
      entries.push({ id, ...description, identity, dataBytes });
    }
    return entries.reverse();
  }

  /** The record of an image in the trash. */
  record(id: string): ImageRecord | undefined {
    return this.#deleted.get(id)?.record;
  }

  /** First half of a deletion: the image is in the trash too. If the second half never comes, the next start undoes it. */
  async take(record: ImageRecord, deletedBy: string): Promise<string> {
    const { disk, now, trashGraceMs, index } = this.#store.options;
    const { name } = record.entry;
    const deletedAt = now();
    const id = `${deletedAt.toString(36)}-${crypto.randomUUID().slice(0, 8)}`;
    const description: TrashDescription = { name, deletedAt, deletedBy, purgeAt: deletedAt + trashGraceMs };
    const file = this.#store.pathOf(Trash.pathIn(id));
    const header = await this.#store.reader.header(name, true);
    const json = Buffer.from(`${JSON.stringify(description)}\n`);
    await writeWhole(disk, file + DESCRIPTION, this.#store.temporaryPath(), [json], 0o600);
    try {
      disk.link(this.#store.pathOf(name), file);
    } catch (thrown) {
      if (!['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK', 'ENOSYS'].includes(errno(thrown))) throw thrown;
      // A file system without hard links: moved, and for a moment there is neither image nor tombstone.
      disk.rename(this.#store.pathOf(name), file);
    }
    await disk.syncPath(this.#store.pathOf(TRASH));
    this.put(id, description, record);
    index.putImage(rowOf(Trash.pathIn(id), record, header));
    return id;
  }

  /** The second half of a deletion failed: the image stays. */
  async giveBack(id: string): Promise<void> {
    const { record } = this.#get(id);
    const file = this.#store.pathOf(Trash.pathIn(id));
    const path = this.#store.pathOf(record.entry.name);
    // At the name is the image itself, nothing, or a tombstone that may not be durable.
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there?.ino === lstatSync(file).ino) await this.#store.unlinkFile(Trash.pathIn(id));
    else this.#store.options.disk.rename(file, path);
    await this.#forget(id);
  }

  /** What `take` or the start found. */
  put(id: string, description: TrashDescription, record: ImageRecord): void {
    this.#deleted.set(id, { description, record });
    this.#store.alarm.set(`trash ${id}`, description.purgeAt);
  }

  async undelete(id: string): Promise<void> {
    const { name } = this.#get(id).description;
    await this.#store.exclusive(name, async () => {
      const { record } = this.#get(id);
      const { disk, objects, index } = this.#store.options;
      if (this.#store.has(name)) throw new ImageServerError('IMAGE_EXISTS', `image: ${name} already exists`);
      const parent = parentDirectory(name);
      if (!this.#store.hasDirectory(parent))
        throw new ImageServerError('DIRECTORY_NOT_FOUND', `no metadata for: "${parent}"`);
      const { expiresAt } = record.entry;
      if (!isZeroTime(expiresAt) && toMillis(expiresAt) <= this.#store.options.now())
        throw new ImageServerError('CONFLICT', `image: ${name} has expired`);
      if (!eachSlot(record.slots, (slot) => objects.table.isPresent(slot)))
        throw new ImageServerError('OBJECTS_MISSING', 'objects of the image are not available');
      const header = await this.header(id);
      const [file, path] = [this.#store.pathOf(Trash.pathIn(id)), this.#store.pathOf(name)];
      clearWay(this.#store, name, path);
      disk.rename(file, path);
      try {
        await disk.syncPath(this.#store.pathOf(parent));
      } catch (thrown) {
        disk.rename(path, file);
        throw thrown;
      }
      healed(this.#store, name);
      await this.#forget(id);
      this.#store.show(record);
      index.putImage(rowOf(name, record, header));
      this.#store.catalogue.emit({ kind: 'add', name });
    });
  }

  async purge(id: string): Promise<void> {
    const { name } = this.#get(id).description;
    await this.#store.exclusive(name, async () => {
      const { record } = this.#get(id);
      await this.#store.unlinkFile(Trash.pathIn(id));
      await this.#forget(id);
      dropReferences(this.#store.options.objects, record.slots);
    });
  }

  /** The alarm rang. */
  async purgeDue(id: string): Promise<void> {
    if (this.#deleted.has(id)) await this.purge(id);
  }

  async header(id: string): Promise<Image> {
    const gob = this.#store.options.index.header(Trash.pathIn(id));
    if (gob) return decodeOnce(Image, gob).value;
    const { record } = this.#get(id);
    return (await scanImage(await readVerified(this.#store.pathOf(Trash.pathIn(id)), record))).header;
  }

  #get(id: string): Deleted {
    const deleted = this.#deleted.get(id);
    if (!deleted) throw new ImageServerError('IMAGE_NOT_FOUND', `not in the trash: ${id}`);
    return deleted;
  }

  async #forget(id: string): Promise<void> {
    this.#deleted.delete(id);
    this.#store.alarm.set(`trash ${id}`, undefined);
    this.#store.options.index.dropImage(Trash.pathIn(id));
    await this.#store.unlinkFile(Trash.pathIn(id) + DESCRIPTION);
  }
}

/** What is in the trash directory: descriptions with their files; leftovers of interrupted work are cleared away. */
export function readTrash(
  directory: string,
  remove: (path: string) => void,
  complain: (what: string, reason: string) => void,
): Map<string, TrashDescription> {
  const found = new Map<string, TrashDescription>();
  const folder = join(directory, TRASH);
  let files: string[] = [];
  try {
    files = readdirSync(folder);
  } catch (thrown) {
    if (errno(thrown) !== 'ENOENT') complain(TRASH, `cannot read directory: ${errno(thrown)}`);
  }
  for (const file of files) {
    const id = file.replace(DESCRIPTION, '');
    if (!file.endsWith(DESCRIPTION) || !ID.test(id)) continue;
    const path = join(folder, file);
    if (!existsSync(join(folder, id))) {
      remove(path);
      continue;
    }
    try {
      found.set(id, parseDescription(readFileSync(path, 'utf8')));
    } catch (thrown) {
      complain(`${TRASH}/${file}`, (thrown as Error).message);
    }
  }
  return found;
}

function parseDescription(text: string): TrashDescription {
  const { name, deletedAt, deletedBy, purgeAt } = JSON.parse(text) as Record<string, unknown>;
  if (typeof name !== 'string' || typeof deletedAt !== 'number' || typeof purgeAt !== 'number')
    throw new Error('not a description of a deleted image');
  checkImageName(name);
  return { name, deletedAt, deletedBy: String(deletedBy), purgeAt };
}
