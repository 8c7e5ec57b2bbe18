/**
 * Compares OBJECT_DIR with what is known of it: a walk over the directories in slices. Files not known are taken in,
 * objects whose file is gone are missing from then on, left-overs are removed, anything else is reported and left.
 */
import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errno } from './disk.ts';
import { HASH_BYTES, hashText } from './object-hash.ts';
import type { DirectoryObjectStore } from './object-store.ts';
import { Turn } from './turn.ts';

const BYTE = /^[0-9a-f]{2}$/;
const REST = /^[0-9a-f]{124}$/;

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

  /** `atStart`: true when everything that was there at the start is durable. */
  constructor(store: DirectoryObjectStore, signal: AbortSignal, atStart: Promise<boolean>) {
    this.#atStart = atStart;
    this.#store = store;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    this.#seen = new Uint8Array(this.#store.table.end);
    for (const first of await this.#list('')) {
      this.#signal.throwIfAborted();
      if (first.startsWith('.')) continue;
      if (BYTE.test(first)) await this.#branch(first);
      else this.#stray(first);
    }
    await this.#findMissing();
    // Directories made just before a crash are durable by now.
    if (await this.#atStart) for (const leaf of this.#leaves) this.#store.durableLeaves[leaf] = 1;
  }

  async #list(directory: string): Promise<string[]> {
    try {
      return await readdir(join(this.#store.options.directory, directory));
    } catch (thrown) {
      if (errno(thrown) !== 'ENOTDIR')
        this.#store.options.reporter.damage('stray', directory, `cannot read directory: ${errno(thrown)}`);
      else this.#stray(directory);
      return [];
    }
  }

  /** All below a directory of the first level, in one call that a thread of the runtime works on. */
  async #branch(first: string): Promise<void> {
    let paths: string[];
    try {
      paths = await readdir(join(this.#store.options.directory, first), { recursive: true });
    } catch {
      // One of the directories cannot be read. Which, and what is in the others?
      paths = await this.#list(first);
    }
    const filled = new Uint8Array(256);
    const seconds: string[] = [];
    for (const path of paths) {
      if (this.#turn.over()) await this.#turn.next();
      if (path.startsWith('.')) continue;
      if (path[2] === '/') {
        if (!path.includes('/', 3) && BYTE.test(path.slice(0, 2))) {
          filled[Number.parseInt(path, 16)] = 1;
          this.#entry(first, path);
        }
      } else if (BYTE.test(path)) seconds.push(path);
      else if (!path.includes('/')) this.#stray(`${first}/${path}`);
    }
    // Not all file systems say in a list what is a directory.
    const isDeep = filled.includes(1);
    for (const second of seconds) {
      this.#signal.throwIfAborted();
      if (filled[Number.parseInt(second, 16)] === 0) await this.#leaf(first, second, isDeep);
      this.#leaves.push(Number.parseInt(first + second, 16));
    }
  }

  /** A directory of objects in which the call found nothing: empty, not a directory, or not looked into. */
  async #leaf(first: string, second: string, isDeep: boolean): Promise<void> {
    if (this.#turn.over()) await this.#turn.next();
    const path = join(this.#store.options.directory, first, second);
    if (isDeep && lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    for (const rest of await this.#list(`${first}/${second}`)) {
      if (this.#turn.over()) await this.#turn.next();
      this.#entry(first, `${second}/${rest}`);
    }
  }

  /** `path`: `YY/ZZ…`, below the directory `first`. */
  #entry(first: string, path: string): void {
    const { table, options } = this.#store;
    const rest = path.slice(3);
    if (!REST.test(rest)) {
      if (!rest.startsWith('.')) this.#stray(`${first}/${path}`);
      return;
    }
    this.scanned++;
    const hash = first + path.slice(0, 2) + rest;
    this.#bytes.write(hash, 'hex');
    const slot = table.find(this.#bytes);
    if (slot === 0 || !table.isPresent(slot))
      this.#takeIn(`${options.directory}/${first}/${path}`, hash, options.now());
    else if (slot < this.#seen.length) this.#seen[slot] = 1;
  }

  #takeIn(path: string, hash: string, now: number): void {
    const { table, options, inFlight, unmovable } = this.#store;
    if (inFlight.has(hash) || unmovable.has(hash)) return;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat) return;
    if (!stat.isFile()) this.#stray(path.slice(options.directory.length + 1));
    else if (stat.size > 0) {
      this.#store.finds.found(path, stat.ctimeMs);
      const slot = table.add(this.#bytes, 0, stat.size, now);
      if (slot < this.#seen.length) this.#seen[slot] = 1;
      // Uploaded shortly before a crash: the image may still come.
      const until = Math.min(stat.mtimeMs, now) + options.graceMs;
      if (until > now) table.protect(slot, Math.ceil(until / 1000));
    } else {
      // The original would not start with such a file.
      this.#store.setAside(hash, 'file is empty');
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
      if (!table.isPresent(slot)) continue;
      const hash = hashText(table.hashes, slot * HASH_BYTES);
      if (!lstatSync(this.#store.pathOf(hash), { throwIfNoEntry: false })?.isFile())
        this.#store.lost(slot, 'file is gone');
    }
  }
}

/** Looks at the length of every object's file, without haste: what was cut short is set aside before somebody asks. */
export async function checkLengths(store: DirectoryObjectStore, signal: AbortSignal): Promise<void> {
  const { table } = store;
  const turn = new Turn();
  for (let slot = 1; slot < table.end && !signal.aborted; slot++) {
    if (turn.over()) await turn.next();
    if (!table.isPresent(slot)) continue;
    const hash = hashText(table.hashes, slot * HASH_BYTES);
    const stat = lstatSync(store.pathOf(hash), { throwIfNoEntry: false });
    if (!stat) store.lost(slot, 'file is gone');
    else if (stat.size !== table.sizes[slot])
      store.quarantine(slot, `length is ${stat.size}, should be ${table.sizes[slot]}`);
    if (slot % 256 === 0) await Bun.sleep(10);
  }
}
