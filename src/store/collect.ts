/** Garbage collection: unreferenced objects go, oldest first, in small steps, never one that somebody still needs. */
import { ImageServerError } from '../errors.ts';
import { formatBytes } from '../image/format.ts';
import { BIG_FILE, errno } from './disk.ts';
import type { DirectoryObjectStore } from './object-store.ts';
import { Turn } from './turn.ts';
import type { CollectResult, Hash, UnreferencedEntry } from './types.ts';

/**
 * Deletes while `wanted` says so. Leased and recently uploaded objects are passed over, and nothing is deleted before
 * all images are known: what they refer to would look unreferenced.
 */
export async function collectUnreferenced(
  store: DirectoryObjectStore,
  wanted: (count: number, bytes: number, next: UnreferencedEntry) => boolean,
  dryRun: boolean,
): Promise<CollectResult> {
  const { disk, now, isReady, reporter, directory } = store.options;
  const deleted: Hash[] = [];
  let bytes = 0;
  if (!isReady()) return { count: 0, bytes: 0, deleted };
  const { table } = store;
  const turn = new Turn();
  try {
    for (const slot of table.unreferencedSlots()) {
      if (turn.over()) await turn.next();
      if (!table.isUnreferenced(slot) || table.isProtected(slot, now())) continue;
      const entry = store.entryOf(slot);
      if (store.inFlight.has(entry.hash)) continue;
      if (!wanted(deleted.length, bytes, entry)) break;
      if (!dryRun) {
        try {
          removeFile(store, entry);
        } catch (thrown) {
          if (errno(thrown) !== 'ENOENT')
            throw new ImageServerError('INTERNAL', `error cleaning up: ${entry.hash}: ${errno(thrown)}`, {
              cause: thrown,
            });
        }
        table.remove(slot);
      }
      deleted.push(entry.hash);
      bytes += entry.size;
    }
  } finally {
    if (!dryRun && deleted.length > 0) {
      // Without syncfs the deletions become durable a little later: all that can come back is garbage.
      if (!(await store.sync.sync())) await disk.syncPath(directory);
      reporter.log(`Garbage collector deleted: ${formatBytes(bytes)} in: ${deleted.length} objects`);
    }
  }
  return { count: deleted.length, bytes, deleted };
}

/** Gone from its place when this returns. A big file is let go of in a thread, under a name that nobody will want. */
function removeFile(store: DirectoryObjectStore, { hash, size }: UnreferencedEntry): void {
  const { disk, reporter } = store.options;
  if (size < BIG_FILE) {
    disk.unlink(store.pathOf(hash));
    return;
  }
  const path = store.temporaryPath();
  disk.rename(store.pathOf(hash), path);
  disk
    .remove(path)
    .catch((thrown) => reporter.log(`Cannot remove a collected object: ${hash}: ${errno(thrown)}`));
}
