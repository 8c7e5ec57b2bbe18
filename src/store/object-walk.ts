/**
 * Compares OBJECT_DIR with what is known of it: a walk over the directories in slices. Files not known are taken in,
 * objects whose file is gone are missing from then on, those whose file has another length are set aside, left-overs are
 * removed, anything else is reported and left.
 */
import { lstatSync, type Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errno } from './disk.ts';
import { HASH_BYTES, hashText, objectPath } from './object-hash.ts';
import { type Listed, ObjectList } from './object-list.ts';
import type { DirectoryObjectStore } from './object-store.ts';
import { release } from './release.ts';
import { Turn } from './turn.ts';
import type { Hash } from './types.ts';

const BYTE = /^[0-9a-f]{2}$/;
const REST = /^[0-9a-f]{124}$/;
/** Files compared between two looks at the clock. */
const BATCH = 64;

export class ObjectWalk {
  readonly #store: DirectoryObjectStore;
  readonly #turn = new Turn();
  readonly #bytes = Buffer.alloc(HASH_BYTES);
  #seen = new Uint8Array(0);
  readonly #leaves: number[] = [];
  /** Objects met so far. */
  scanned = 0;
  readonly #signal: AbortSignal;
  readonly #atStart: Promise<boolean>;
  #firsts: string[] = [];
  #list: ObjectList | undefined;

  /** `atStart`: true when everything that was there at the start is durable. */
  constructor(store: DirectoryObjectStore, signal: AbortSignal, atStart: Promise<boolean>) {
    this.#atStart = atStart;
    this.#store = store;
    this.#signal = signal;
  }

  /** Begins to list, while the index is being loaded. `run` must follow. */
  async begin(): Promise<void> {
    for (const first of await this.#names('')) {
      if (first.startsWith('.')) continue;
      if (BYTE.test(first)) this.#firsts.push(first);
      else this.#stray(first);
    }
    if (!this.#signal.aborted) this.#list = new ObjectList(this.#store.options.directory, this.#firsts);
  }

  /** Resolves when nothing is being listed any more. */
  async end(): Promise<void> {
    await this.#list?.end();
  }

  async run(): Promise<void> {
    this.#seen = new Uint8Array(this.#store.table.end);
    try {
      for (let listed = await this.#next(); listed; listed = await this.#next()) await this.#compare(listed);
    } finally {
      await this.end();
    }
    this.#signal.throwIfAborted();
    await this.#findMissing();
    // Directories made just before a crash are durable by now.
    if (await this.#atStart) for (const leaf of this.#leaves) this.#store.durableLeaves[leaf] = 1;
  }

  /** Without the thread all directories are read here. */
  async #next(): Promise<Listed | undefined> {
    try {
      return await this.#list?.next();
    } catch (thrown) {
      this.#store.options.reporter.log(`Listing the objects on a thread failed: ${thrown}`);
      this.#list = undefined;
      for (const first of this.#firsts) await this.#branch(first);
      return undefined;
    }
  }

  async #compare(listed: Listed): Promise<void> {
    this.#signal.throwIfAborted();
    for (let index = 0; index < listed.count; index++) {
      if (index % BATCH === 0 && this.#turn.over()) await this.#turn.next();
      this.#object(listed.hashes, index * HASH_BYTES, listed.sizes[index] as number);
    }
    release(listed.hashes);
    release(listed.sizes);
    for (const leaf of listed.leaves) this.#leaves.push(leaf);
    for (const path of listed.strays) {
      if (this.#turn.over()) await this.#turn.next();
      this.#stray(path);
    }
    for (const path of listed.unread) await (path.includes('/') ? this.#leaf(path) : this.#branch(path));
  }

  async #names(directory: string): Promise<string[]> {
    try {
      return await readdir(join(this.#store.options.directory, directory));
    } catch (thrown) {
      if (errno(thrown) !== 'ENOTDIR')
        this.#store.options.reporter.damage('stray', directory, `cannot read directory: ${errno(thrown)}`);
      else this.#stray(directory);
      return [];
    }
  }

  /** A directory of the first level that the thread has not listed. */
  async #branch(first: string): Promise<void> {
    for (const second of await this.#names(first)) {
      if (second.startsWith('.')) continue;
      if (BYTE.test(second)) await this.#leaf(`${first}/${second}`);
      else this.#stray(`${first}/${second}`);
    }
  }

  /** `directory`: `XX/YY`. */
  async #leaf(directory: string): Promise<void> {
    this.#signal.throwIfAborted();
    const [first = '', second = ''] = directory.split('/');
    for (const name of await this.#names(directory)) {
      if (this.#turn.over()) await this.#turn.next();
      if (REST.test(name)) {
        this.#bytes.write(first + second + name, 'hex');
        this.#object(this.#bytes, 0, -1);
      } else if (!name.startsWith('.')) this.#stray(`${directory}/${name}`);
    }
    this.#leaves.push(Number.parseInt(first + second, 16));
  }

  /** A file under an object's name; `size`: bytes when it was listed, -1 if that is not known or it is no file. */
  #object(hashes: Uint8Array, at: number, size: number): void {
    const { table } = this.#store;
    this.scanned++;
    const slot = table.find(hashes, at);
    if (slot === 0 || !table.isPresent(slot)) this.#takeIn(hashes, at);
    else {
      if (slot < this.#seen.length) this.#seen[slot] = 1;
      if (size !== table.sizes[slot]) this.#examine(slot);
    }
  }

  #takeIn(hashes: Uint8Array, at: number): void {
    const { table, options, inFlight, unmovable, finds } = this.#store;
    const hash = hashText(hashes, at);
    if (inFlight.has(hash) || unmovable.has(hash)) return;
    const now = options.now();
    const stat = this.#look(hash);
    if (!stat) return;
    if (!stat.isFile()) this.#stray(objectPath(hash));
    else if (stat.size > 0) {
      finds.found(this.#store.pathOf(hash), stat.ctimeMs);
      const slot = table.add(hashes, at, stat.size, now);
      if (slot < this.#seen.length) this.#seen[slot] = 1;
      // Uploaded shortly before a crash: the image may still come.
      const until = Math.min(stat.mtimeMs, now) + options.graceMs;
      if (until > now) table.protect(slot, Math.ceil(until / 1000));
    } else {
      // The original would not start with such a file.
      this.#store.setAside(hash, 'file is empty');
    }
  }

  /** Looks at the file of an object that should be here: what was listed may be old. */
  #examine(slot: number): void {
    const { table } = this.#store;
    const stat = this.#look(hashText(table.hashes, slot * HASH_BYTES));
    if (stat === null) return;
    if (!stat?.isFile()) this.#store.lost(slot, 'file is gone');
    else if (stat.size !== table.sizes[slot])
      this.#store.quarantine(slot, `length is ${stat.size}, should be ${table.sizes[slot]}`);
  }

  /** What is under an object's name: undefined if nothing is, null if that cannot be told, which is reported. */
  #look(hash: Hash): Stats | undefined | null {
    try {
      return lstatSync(this.#store.pathOf(hash), { throwIfNoEntry: false });
    } catch (thrown) {
      this.#store.options.reporter.damage('object', hash, `cannot look at its file: ${errno(thrown)}`);
      return null;
    }
  }

  #stray(path: string): void {
    const { directory, reporter } = this.#store.options;
    if (!path.endsWith('~')) {
      reporter.damage('stray', path, 'not an object');
      return;
    }
    const absolute = join(directory, path);
    const stat = lstatSync(absolute, { throwIfNoEntry: false });
    if (stat?.isFile()) this.#store.leftovers.take(absolute, stat.mtimeMs);
  }

  async #findMissing(): Promise<void> {
    const { table } = this.#store;
    for (let slot = 1; slot < this.#seen.length; slot++) {
      if (this.#seen[slot] === 1 || !table.isPresent(slot)) continue;
      if (this.#turn.over()) await this.#turn.next();
      if (table.isPresent(slot)) this.#examine(slot);
    }
  }
}
