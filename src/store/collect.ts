/** Garbage collection: unreferenced objects go, oldest first, in small steps, never one that somebody still needs. */
import { ImageServerError } from '../errors.ts';
import { formatBytes } from '../image/format.ts';
import { errno } from './disk.ts';
import { hashBytes } from './object-hash.ts';
import type { DirectoryObjectStore } from './object-store.ts';
import { Turn } from './turn.ts';
import type { CollectResult, Hash, UnreferencedEntry } from './types.ts';

/** Files that are removed at the same time. */
const AT_ONCE = 8;

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
  // In the order in which they were taken, whichever file has gone first.
  const deleted = new Set<Hash>();
  let bytes = 0;
  if (!isReady()) return { count: 0, bytes: 0, deleted: [] };
  const { table } = store;
  const turn = new Turn();
  const going = new Set<Promise<void>>();
  let failure: unknown;
  let count = 0;
  try {
    for (const slot of table.unreferencedSlots()) {
      if (turn.over()) await turn.next();
      if (going.size >= AT_ONCE) await Promise.all(going);
      if (failure !== undefined) break;
      if (!table.isUnreferenced(slot) || table.isProtected(slot, now())) continue;
      const entry = store.entryOf(slot);
      if (store.inFlight.has(entry.hash)) continue;
      if (!wanted(count, bytes, entry)) break;
      count++;
      bytes += entry.size;
      deleted.add(entry.hash);
      if (dryRun) continue;
      const removing: Promise<void> = removeObject(store, slot, entry).then(
        () => {
          going.delete(removing);
        },
        (thrown) => {
          failure ??= new ImageServerError('INTERNAL', `error cleaning up: ${entry.hash}: ${errno(thrown)}`, {
            cause: thrown,
          });
          bytes -= entry.size;
          deleted.delete(entry.hash);
          going.delete(removing);
        },
      );
      going.add(removing);
    }
  } finally {
    await Promise.all(going);
    if (!dryRun && deleted.size > 0) {
      // Without syncfs the deletions become durable a little later: all that can come back is garbage.
      if (!(await store.sync.sync())) await disk.syncPath(directory);
      reporter.log(`Garbage collector deleted: ${formatBytes(bytes)} in: ${deleted.size} objects`);
    }
  }
  if (failure !== undefined) throw failure;
  return { count: deleted.size, bytes, deleted: [...deleted] };
}

/**
 * Not known from now on, gone from its place when this resolves: in a thread, since a busy disk makes that last. An
 * upload of the same object waits for it.
 */
async function removeObject(
  store: DirectoryObjectStore,
  slot: number,
  { hash, size, since }: UnreferencedEntry,
): Promise<void> {
  const { table, leaving } = store;
  const removing = store.options.disk.remove(store.pathOf(hash));
  table.remove(slot);
  leaving.set(
    hash,
    removing.catch(() => undefined), // Told below.
  );
  try {
    await removing;
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT') return;
    // It is still there.
    table.add(hashBytes(hash), 0, size, since);
    throw thrown;
  } finally {
    leaving.delete(hash);
  }
}
