/**
 * Opens the directory stores. Nothing is waited for: `opened` says when what the index knows and the names of all images
 * are there, and calls may come; the comparison with the directories goes on behind, and `ready` says when everything on
 * disk is known.
 */
import { realpathSync, statSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { type Disk, errno, realDisk } from './disk.ts';
import { Housekeeping } from './housekeeping.ts';
import { ImageLoader } from './image-loader.ts';
import { DirectoryImageStore } from './image-store.ts';
import { IndexDatabase } from './index-database.ts';
import { lockDirectory } from './lock.ts';
import { DirectoryObjectStore, TEMPORARY } from './object-store.ts';
import { ObjectTable } from './object-table.ts';
import { ObjectWalk } from './object-walk.ts';
import { Reporter } from './reporter.ts';
import { Scrub } from './scrub.ts';
import { SpaceGuard } from './space-guard.ts';
import type { StoreOptions, Stores } from './types.ts';
import { readUnreferenced, unreferencedFileStamp } from './unreferenced-file.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

const STORE_DEFAULTS = {
  objectGraceMs: 10 * MINUTE,
  trashGraceMs: 7 * DAY,
  minFreeBytes: 64 * 1024 * 1024,
  startPercent: 95,
  stopPercent: 90,
  startSize: 0,
  stopSize: 0,
  maxUnreferencedBytes: 0,
  maxUnreferencedAgeMs: 0,
  readCacheBytes: 8 * 1024 * 1024,
  scrubBytesPerSecond: 8 * 1024 * 1024,
  scrubIntervalMs: 7 * DAY,
} as const satisfies Partial<StoreOptions>;

function checkDirectory(path: string): void {
  try {
    if (!statSync(path).isDirectory()) throw new ImageServerError('UNAVAILABLE', `not a directory: ${path}`);
  } catch (thrown) {
    if (thrown instanceof ImageServerError) throw thrown;
    const reason = errno(thrown) === 'ENOENT' ? 'no such file or directory' : errno(thrown);
    throw new ImageServerError('UNAVAILABLE', `Cannot stat: ${path}: ${reason}`, { cause: thrown });
  }
}

/** Each would take the files of the other for its own; only below a hidden name neither looks. */
function checkApart(images: string, objects: string): void {
  const [a, b] = [realpathSync(images), realpathSync(objects)];
  for (const [outer, inner] of [
    [a, b],
    [b, a],
  ] as const) {
    const parts = relative(outer, inner).split('/');
    if (!parts.some((part) => part.startsWith('.')))
      throw new ImageServerError(
        'UNAVAILABLE',
        `image and object directory must be apart: ${images}, ${objects}`,
      );
  }
}

/** Left by a crash: the lock says that nobody is writing. */
async function clearTemporaries(directory: string): Promise<void> {
  const folder = join(directory, TEMPORARY);
  for (const file of await readdir(folder)) await rm(join(folder, file), { recursive: true, force: true });
}

/** Fills the table; paths of the images that the index has. Begins the index anew if it cannot be used. */
async function loadIndex(
  index: IndexDatabase,
  table: ObjectTable,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<{ paths: Set<string>; usable: boolean }> {
  try {
    if (await index.loadObjects(table, signal))
      return { paths: await index.imagePaths(signal), usable: true };
  } catch (thrown) {
    signal.throwIfAborted();
    reporter.damage('index', 'objects', `cannot be read, is rebuilt: ${(thrown as Error).message}`);
  }
  index.beginAnew();
  table.clear();
  return { paths: new Set(), usable: false };
}

/** The stores once calls may use them. */
export async function openStores(options: StoreOptions): Promise<Stores> {
  const stores = beginStores(options);
  try {
    await stores.opened;
  } catch (thrown) {
    await stores.close();
    throw thrown;
  }
  return stores;
}

/**
 * Takes the directories for this process and begins to read them: `opened` says when the stores may be used. Throws what
 * a person has to mend first.
 */
export function beginStores(options: StoreOptions): Stores {
  const config = { ...STORE_DEFAULTS, ...options };
  const now = options.now ?? Date.now;
  const disk: Disk = options.disk ?? realDisk;
  const reporter = new Reporter(options.log ?? (() => undefined), now);
  const { imageDirectory, objectDirectory } = options;
  for (const directory of [objectDirectory, imageDirectory]) checkDirectory(directory);
  checkApart(imageDirectory, objectDirectory);
  const locks = [lockDirectory(objectDirectory, 'object directory')];
  try {
    locks.push(lockDirectory(imageDirectory, 'image directory'));
    return begin();
  } catch (thrown) {
    for (const lock of locks) lock.release();
    throw thrown;
  }

  function begin(): Stores {
    const { index, fresh } = IndexDatabase.open(imageDirectory, reporter);
    const table = new ObjectTable();
    let isReady = false;
    const space = new SpaceGuard(
      {
        minFreeBytes: config.minFreeBytes,
        startPercent: config.startPercent,
        stopPercent: config.stopPercent,
        startSize: config.startSize,
        stopSize: config.stopSize,
      },
      now,
    );
    const objects = new DirectoryObjectStore({
      directory: objectDirectory,
      disk,
      table,
      reporter,
      now,
      graceMs: config.objectGraceMs,
      space,
      isReady: () => isReady,
    });
    space.watch(objects);
    const images = new DirectoryImageStore({
      directory: imageDirectory,
      disk,
      objects,
      index,
      reporter,
      now,
      trashGraceMs: config.trashGraceMs,
      readCacheBytes: config.readCacheBytes,
      minFreeBytes: config.minFreeBytes,
    });
    const stop = new AbortController();
    const { signal } = stop;
    let closing: Promise<void> | undefined;
    const loader = new ImageLoader(images, signal);
    const atStart = objects.finds.begin().catch((thrown) => {
      reporter.log(`Cannot sync what is there: ${thrown}`);
      return false;
    });
    const walk = new ObjectWalk(objects, signal, atStart);
    const scrub = new Scrub({
      objects,
      images,
      now,
      bytesPerSecond: config.scrubBytesPerSecond,
      intervalMs: config.scrubIntervalMs,
      load: (key) => index.meta(key),
      save: (key, value) => index.setMeta(key, value),
    });
    const housekeeping = new Housekeeping({
      objects,
      images,
      index,
      scrub,
      isReady: () => isReady,
      maxUnreferencedBytes: config.maxUnreferencedBytes,
      maxUnreferencedAgeMs: config.maxUnreferencedAgeMs,
      startSize: config.startSize,
      stopSize: config.stopSize,
    });

    /** What the index knows, and the names of all images. */
    const open = async (): Promise<{ usable: boolean }> => {
      for (const directory of [objectDirectory, imageDirectory]) await clearTemporaries(directory);
      await walk.begin();
      const { paths, usable } = await loadIndex(index, table, reporter, signal);
      await loader.walk(paths);
      await table.settle(now());
      images.alarm.release();
      housekeeping.start();
      return { usable };
    };
    const reconcile = async ({ usable }: { usable: boolean }) => {
      const started = performance.now();
      const passed = () => `${((performance.now() - started) / 1000).toFixed(3)}s`;
      await walk.run();
      reporter.log(`Scanned ${walk.scanned} objects in ${passed()}`);
      await loader.readUnread();
      reporter.log(`Loaded ${images.size} images in ${passed()}`);
      const stamp = unreferencedFileStamp(imageDirectory);
      if (stamp !== '' && (fresh || !usable || stamp !== index.meta('unreferenced'))) {
        try {
          await readUnreferenced(imageDirectory, table);
        } catch (thrown) {
          // It can be made anew from what is on disk; only the ages are lost.
          reporter.damage('metadata', '.unreferenced-objects', (thrown as Error).message);
        }
      }
      isReady = true;
      await housekeeping.flush();
    };
    const opening = open();
    const opened = opening.then(() => undefined);
    const ready = opening.then(reconcile).catch((thrown) => {
      loader.giveUp(thrown);
      throw thrown;
    });
    // Perhaps nobody waits for the one or the other.
    for (const promise of [opened, ready]) promise.catch(() => undefined);
    const known = ready.then(
      () => scrub.tick(),
      (thrown) => {
        if (!signal.aborted) reporter.log(`Error while comparing with the directories: ${thrown}`);
      },
    );

    return {
      objects,
      images,
      opened,
      ready,
      scrub,
      progress: () => ({
        ready: isReady,
        objectsScanned: walk.scanned,
        objectsKnown: table.objects,
        imagesLoaded: loader.loaded,
        imagesFound: loader.found,
      }),
      damages: () => reporter.damages(),
      damageCounts: () => ({ ...reporter.counts }),
      stopReading: () => stop.abort(new ImageServerError('UNAVAILABLE', 'the server is stopping')),
      close() {
        closing ??= close();
        return closing;
      },
    };

    async function close(): Promise<void> {
      stop.abort();
      housekeeping.stop();
      const [{ status }] = await Promise.allSettled([opened, known, scrub.stop(), walk.end()]);
      await images.settled();
      images.close();
      // What cannot be written now is found again at the next start; the locks go in any case.
      for (const result of await Promise.allSettled([housekeeping.list()]))
        if (result.status === 'rejected')
          reporter.log(`Error writing the unreferenced objects: ${result.reason}`);
      // Of a table that is half filled nothing is kept: the index stays as it was.
      if (status === 'fulfilled') await housekeeping.flush();
      index.close();
      objects.close();
      for (const lock of locks) lock.release();
    }
  }
}
