/** Whether the inodes of a walked image make a tree: every entry leads to an inode, and no directory contains itself. */
import { type InodeWalk, KINDS } from './inode-walk.ts';
import type { DirectoryInode } from './messages/filesystem.ts';
import { NumberIndex } from './numbers.ts';

const DIRECTORY = KINDS.indexOf('directory');
const COMPUTED = KINDS.indexOf('computed');
/** Steps between two looks at the clock, and milliseconds after which others may run. */
const STEPS = 8192;
const SLICE = 2;

/** Lets others run when the work has gone on for long enough. */
class Breather {
  #since = performance.now();
  async breathe(): Promise<void> {
    if (performance.now() - this.#since <= SLICE) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}

/**
 * Adds to the walk's problems what is wrong with the tree below `root`. Works in slices of a few milliseconds, without
 * making objects per inode.
 */
export async function checkTree(walk: InodeWalk, root: DirectoryInode): Promise<void> {
  const breather = new Breather();
  const rootIndex = -1;
  walk.directory(rootIndex, root);
  const index = new NumberIndex(walk.keys);
  for (let at = 0; at < walk.keys.length; at++) {
    index.add(at);
    if (at % STEPS === 0) await breather.breathe();
  }
  duplicateComputed(walk, root, index);
  // Which directory each entry leads to, if any: position in walk.directories, else -1.
  const places = new Int32Array(walk.keys.length).fill(-1);
  walk.directories.forEach((key, place) => {
    if (key >= 0) places[key] = place;
  });
  const parents = new Int32Array(walk.directories.length);
  const children = new Int32Array(walk.entries.length);
  let directory = 0;
  for (let entry = 0; entry < walk.entries.length; entry++) {
    if (entry % STEPS === 0) await breather.breathe();
    while (directory + 1 < walk.directories.length && (walk.firstEntries[directory + 1] as number) <= entry)
      directory++;
    const found = index.find(walk.entries.values[entry] as number);
    if (found < 0)
      walk.problem(
        `no inode ${walk.numberOf(walk.entries, entry)} for an entry of ${placeName(walk, directory)}`,
      );
    const place = found >= 0 && walk.kinds[found] === DIRECTORY ? (places[found] as number) : -1;
    children[entry] = place;
    if (place >= 0) parents[place] = (parents[place] as number) + 1;
  }
  await findLoops(walk, parents, children, breather);
}

function placeName(walk: InodeWalk, directory: number): string {
  const key = walk.directories[directory] as number;
  return key < 0 ? 'the root directory' : `directory ${walk.numberOf(walk.keys, key)}`;
}

function duplicateComputed(walk: InodeWalk, root: DirectoryInode, index: NumberIndex): void {
  const met = new Set<number>();
  const first = walk.firstEntries[walk.firstEntries.length - 1] as number;
  root.EntryList.forEach((entry, at) => {
    const found = index.find(walk.entries.values[first + at] as number);
    if (found < 0 || walk.kinds[found] !== COMPUTED) return;
    if (met.has(found)) walk.problem(`duplicate computed inode: ${entry?.Name ?? ''}`);
    met.add(found);
  });
}

/** Takes away directories that nothing left contains, again and again: what stays contains itself. */
async function findLoops(
  walk: InodeWalk,
  parents: Int32Array,
  children: Int32Array,
  breather: Breather,
): Promise<void> {
  const free: number[] = [];
  parents.forEach((count, place) => {
    if (count === 0) free.push(place);
  });
  let taken = 0;
  for (let place = free.pop(); place !== undefined; place = free.pop()) {
    if (++taken % 1024 === 0) await breather.breathe();
    const end = walk.firstEntries[place + 1] ?? walk.entries.length;
    for (let entry = walk.firstEntries[place] as number; entry < end; entry++) {
      const child = children[entry] as number;
      if (child < 0) continue;
      parents[child] = (parents[child] as number) - 1;
      if (parents[child] === 0) free.push(child);
    }
  }
  if (taken < parents.length) {
    const looped = parents.findIndex((count) => count > 0);
    walk.problem(`directory contains itself: ${placeName(walk, looped)}`);
  }
}
