/**
 * Compares OBJECT_DIR with what is known of it: a walk over the directories in slices. Files not known are taken in,
 * objects whose file is gone are missing from then on, left-overs are removed, anything else is reported and left.
 */
import { lstatSync, readdirSync } from 'node:fs';
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
  readonly #seen: Uint8Array;
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
    this.#seen = new Uint8Array(store.table.end);
  }

  async run(): Promise<void> {
    const root = this.#store.options.directory;
    for (const first of this.#list('')) {
      if (first.startsWith('.')) continue;
      if (!BYTE.test(first)) {
        this.#stray(first);
        continue;
      }
      for (const second of this.#list(first)) {
        if (this.#turn.over()) await this.#turn.next();
        this.#signal.throwIfAborted();
        if (BYTE.test(second)) await this.#leaf(root, first, second);
        else if (!second.startsWith('.')) this.#stray(`${first}/${second}`);
      }
    }
    await this.#findMissing();
    // Directories made just before a crash are durable by now.
    if (await this.#atStart) for (const leaf of this.#leaves) this.#store.durableLeaves[leaf] = 1;
  }

  #list(directory: string): string[] {
    try {
      return readdirSync(join(this.#store.options.directory, directory));
    } catch (thrown) {
      if (errno(thrown) !== 'ENOTDIR')
        this.#store.options.reporter.damage('stray', directory, `cannot read directory: ${errno(thrown)}`);
      else this.#stray(directory);
      return [];
    }
  }

  async #leaf(root: string, first: string, second: string): Promise<void> {
    const { table, options } = this.#store;
    const prefix = first + second;
    const directory = `${first}/${second}`;
    for (const rest of this.#list(directory)) {
      if (!REST.test(rest)) {
        if (!rest.startsWith('.')) this.#stray(`${directory}/${rest}`);
        continue;
      }
      this.scanned++;
      this.#bytes.write(prefix + rest, 'hex');
      const slot = table.find(this.#bytes);
      if (slot !== 0 && table.isPresent(slot)) {
        if (slot < this.#seen.length) this.#seen[slot] = 1;
        continue;
      }
      if (this.#turn.over()) {
        await this.#turn.next();
        this.#bytes.write(prefix + rest, 'hex');
      }
      this.#takeIn(`${root}/${directory}/${rest}`, prefix + rest, options.now());
    }
    this.#leaves.push(Number.parseInt(prefix, 16));
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
  for (let slot = 1; slot < table.end && !signal.aborted; slot++) {
    if (!table.isPresent(slot)) continue;
    const hash = hashText(table.hashes, slot * HASH_BYTES);
    const stat = lstatSync(store.pathOf(hash), { throwIfNoEntry: false });
    if (!stat) store.lost(slot, 'file is gone');
    else if (stat.size !== table.sizes[slot])
      store.quarantine(slot, `length is ${stat.size}, should be ${table.sizes[slot]}`);
    if (slot % 256 === 0) await Bun.sleep(10);
  }
}
