/** Putting an image's file in place: room for it, out of the way what was damaged, durable, and only then visible. */
import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { parentDirectory } from '../image/paths.ts';
import type { ImageSummary } from '../wire/encoded-image.ts';
import { putInPlace, sha512, writeTemporary } from './checksummed-file.ts';
import { errno } from './disk.ts';
import { dropReferences } from './image-objects.ts';
import { entryOf, type ImageRecord, rowOf, stampOf } from './image-record.ts';
import type { DirectoryImageStore } from './image-store.ts';

export const FILE_MODE = 0o644;
export const QUARANTINE = '.quarantine';
/** Longest name of a file, bytes. */
const MAX_FILE_NAME = 255;

/**
 * Writes an image whose objects are referred to already (`slots`), makes it visible and tells listeners. If it does not
 * become visible the references are dropped.
 */
export async function placeImage(
  store: DirectoryImageStore,
  name: string,
  bytes: Uint8Array,
  summary: ImageSummary,
  slots: Uint8Array,
): Promise<void> {
  const { disk, objects } = store.options;
  const path = store.pathOf(name);
  let digest: Buffer;
  try {
    const settled = objects.finds.settle();
    if (settled) await settled;
    digest = await sha512(bytes);
    checkSpace(store, bytes.length);
    await putThere(store, name, path, [bytes, digest]);
  } catch (thrown) {
    dropReferences(objects, slots);
    throw thrown;
  }
  const before = store.catalogue.images.get(name);
  let failure: unknown;
  try {
    await store.sync.sync(() => disk.syncPath(dirname(path)));
  } catch (thrown) {
    failure = thrown;
    if (!before && takeBack(store, path)) {
      dropReferences(objects, slots);
      throw thrown;
    }
    // It is what is on the disk now: that is what is shown, though nobody is told that it is safe.
  }
  const stamp = stampOf(lstatSync(path, { bigint: true }));
  const entry = entryOf(name, digest.toString('hex'), { ...summary, gobLength: bytes.length });
  const record: ImageRecord = { entry, slots, stamp, verified: true };
  healed(store, name);
  if (before && before.entry.identity !== entry.identity) store.reader.drop(before.entry.identity);
  store.reader.keep(entry.identity, bytes);
  store.show(record);
  store.options.index.putImage(rowOf(name, record, summary.header));
  if (before) dropReferences(objects, before.slots);
  store.catalogue.emit({ kind: 'add', name });
  if (failure !== undefined) throw failure;
}

async function putThere(
  store: DirectoryImageStore,
  name: string,
  path: string,
  parts: readonly Uint8Array[],
): Promise<void> {
  const { disk } = store.options;
  const temporary = store.temporaryPath();
  await writeTemporary(disk, temporary, parts, FILE_MODE, store.sync);
  try {
    clearWay(store, name, path);
    putInPlace(disk, temporary, path);
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT')
      throw new ImageServerError('DIRECTORY_NOT_FOUND', `no metadata for: "${parentDirectory(name)}"`, {
        cause: thrown,
      });
    throw thrown;
  }
}

/** True if an image that nobody has seen is gone from its place again. */
function takeBack(store: DirectoryImageStore, path: string): boolean {
  try {
    store.options.disk.unlink(path);
    return true;
  } catch (thrown) {
    store.options.reporter.log(`Cannot take back an image that is not durable: ${errno(thrown)}`);
    return false;
  }
}

function checkSpace(store: DirectoryImageStore, bytes: number): void {
  const { disk, directory, minFreeBytes } = store.options;
  if (minFreeBytes > 0 && disk.space(directory).free - bytes < minFreeBytes)
    throw new ImageServerError('NO_SPACE', 'no space left on device');
}

/**
 * What is at a name that is free, and is no tombstone, was damaged or never an image: it is moved aside, not lost.
 * Returns where it is then.
 */
export function clearWay(store: DirectoryImageStore, name: string, path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found || store.has(name) || (found.isFile() && found.size === 0)) return undefined;
  const { disk, directory, now } = store.options;
  const aside = join(directory, QUARANTINE, quarantineName(name, now()));
  disk.rename(path, aside);
  return aside;
}

/** Of a long name the end: the directories come first. */
function quarantineName(name: string, now: number): string {
  const ending = `.${now}`;
  let kept = name.replaceAll('/', '%');
  while (Buffer.byteLength(kept) > MAX_FILE_NAME - ending.length) kept = kept.slice(1);
  return kept + ending;
}

/** A good image has taken the place of a damaged one, or none has: its references go. */
export function healed(store: DirectoryImageStore, name: string, how?: string): void {
  const aside = store.damaged.get(name);
  store.damaged.delete(name);
  if (aside) dropReferences(store.options.objects, aside.slots);
  store.options.reporter.healed('image', name, how);
}
