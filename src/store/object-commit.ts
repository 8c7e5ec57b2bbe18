/**
 * Group commit: contents durable, then all renamed into place, then their directories durable, and only then known.
 * Many at once share two syncs of the file system; a few are synced one by one.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Disk, errno } from './disk.ts';
import { hashBytes } from './object-hash.ts';
import { DIRECTORY_MODE, type DirectoryObjectStore } from './object-store.ts';
import type { StagedObject } from './object-upload.ts';
import type { Renamed } from './rename-many.ts';
import { Turn } from './turn.ts';

/** Up to this many objects are synced one by one: that waits for nobody else's data. */
const FEW = 4;
/** So many or more are put in place by a thread. */
const MANY = 32;
/** As many go into one order to it: to hand over more takes a noticeable time. */
const ORDER = 500;
/** Syncs in flight where the file system cannot be synced as a whole. */
const PARALLEL = 16;

/** All of `group` or, if the disk fails, none of those not yet in place. `lease` is called for each before it can go. */
export async function commitObjects(
  store: DirectoryObjectStore,
  group: readonly StagedObject[],
  lease: (slot: number) => void,
): Promise<void> {
  const { disk, reporter } = store.options;
  const { inFlight } = store;
  for (const { hash } of group) inFlight.set(hash, (inFlight.get(hash) ?? 0) + 1);
  let placed = 0;
  let durable = false;
  const turn = new Turn();
  try {
    await syncContents(store, group);
    while (placed < group.length) {
      const staged = group[placed] as StagedObject;
      const leaving = store.leaving.get(staged.hash);
      if (leaving) await leaving;
      if (group.length - placed >= MANY && disk.renameMany) {
        const moved = await placeMany(store, disk.renameMany, group.slice(placed, placed + ORDER));
        placed += moved.placed;
        if (moved.failure) throw moved.failure;
      } else {
        place(store, staged);
        placed++;
      }
      if (turn.over()) await turn.next();
    }
    await syncDirectories(store, group);
    durable = true;
  } catch (thrown) {
    for (const { path } of group.slice(placed)) {
      try {
        disk.unlink(path);
      } catch (failure) {
        reporter.log(`Cannot remove a temporary file: ${errno(failure)}`);
      }
    }
    throw thrown;
  } finally {
    // What is in place has durable contents, whatever failed after: it is known, if only as garbage. Whoever relies on it
    // next has its name synced first.
    for (const staged of group.slice(0, placed)) {
      if (turn.over()) await turn.next();
      lease(know(store, staged));
      if (!durable) store.finds.unsynced(store.pathOf(staged.hash));
    }
    for (const { hash } of group) {
      const left = (inFlight.get(hash) ?? 1) - 1;
      if (left === 0) inFlight.delete(hash);
      else inFlight.set(hash, left);
    }
  }
}

async function syncContents(store: DirectoryObjectStore, group: readonly StagedObject[]): Promise<void> {
  const unsynced = group.filter(({ synced }) => !synced).map(({ path }) => path);
  if (unsynced.length === 0) return;
  if (unsynced.length > FEW && (await store.sync.sync())) return;
  await syncPaths(store, unsynced);
}

async function syncDirectories(store: DirectoryObjectStore, group: readonly StagedObject[]): Promise<void> {
  const leaves = new Set(group.map(({ hash }) => leafOf(hash)));
  if (leaves.size <= FEW || !(await store.sync.sync())) {
    const root = store.options.directory;
    const paths = new Set<string>();
    for (const leaf of leaves) {
      const text = leaf.toString(16).padStart(4, '0');
      paths.add(join(root, text.slice(0, 2), text.slice(2)));
      if (store.durableLeaves[leaf]) continue;
      paths.add(join(root, text.slice(0, 2)));
      paths.add(root);
    }
    await syncPaths(store, [...paths]);
  }
  for (const leaf of leaves) store.durableLeaves[leaf] = 1;
}

async function syncPaths(store: DirectoryObjectStore, paths: readonly string[]): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < paths.length) await store.options.disk.syncPath(paths[next++] as string);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, paths.length) }, work));
}

/** As many of the first as can be put in place by one order to the thread. */
async function placeMany(
  store: DirectoryObjectStore,
  renameMany: NonNullable<Disk['renameMany']>,
  group: readonly StagedObject[],
): Promise<Renamed> {
  const blocked = group.findIndex(({ hash }, index) => index > 0 && store.leaving.has(hash));
  const now = blocked < 0 ? group : group.slice(0, blocked);
  const moves = now.map(({ path, hash }) => [path, store.pathOf(hash)] as const);
  const renamed = await renameMany(moves, DIRECTORY_MODE);
  for (const index of renamed.made) store.durableLeaves[leafOf((now[index] as StagedObject).hash)] = 0;
  return renamed;
}

function leafOf(hash: string): number {
  return Number.parseInt(hash.slice(0, 4), 16);
}

function place(store: DirectoryObjectStore, staged: StagedObject): void {
  const { disk } = store.options;
  const path = store.pathOf(staged.hash);
  const slot = staged.heals ? 0 : store.table.findText(staged.hash);
  if (slot !== 0 && store.table.isPresent(slot)) {
    // Somebody else has committed the same object meanwhile.
    disk.unlink(staged.path);
    return;
  }
  if (!store.durableLeaves[leafOf(staged.hash)]) makeDirectories(store, path);
  try {
    disk.rename(staged.path, path);
  } catch (thrown) {
    if (errno(thrown) !== 'ENOENT') throw thrown;
    makeDirectories(store, path);
    store.durableLeaves[leafOf(staged.hash)] = 0;
    disk.rename(staged.path, path);
  }
}

function makeDirectories(store: DirectoryObjectStore, path: string): void {
  const { disk } = store.options;
  const leaf = dirname(path);
  if (existsSync(leaf)) return;
  try {
    disk.mkdir(leaf, DIRECTORY_MODE);
  } catch (thrown) {
    if (errno(thrown) !== 'ENOENT') throw thrown;
    disk.mkdir(dirname(leaf), DIRECTORY_MODE);
    disk.mkdir(leaf, DIRECTORY_MODE);
  }
}

function know(store: DirectoryObjectStore, { hash, size, heals }: StagedObject): number {
  const { table } = store;
  const { now, reporter } = store.options;
  const bytes = hashBytes(hash);
  const known = table.find(bytes);
  const before = known !== 0 && table.isPresent(known);
  const slot = table.add(bytes, 0, size, now());
  store.unmovable.delete(hash);
  if (before) table.renew(slot, now());
  if (before && heals && table.sizes[slot] !== size) table.resize(slot, size);
  reporter.healed('object', hash);
  return slot;
}
