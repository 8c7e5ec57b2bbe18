/**
 * The index: what is derived from the directories, kept so that a start need not read everything. A cache: if it is
 * missing, damaged or from another version it is begun anew.
 */
import { Database, type Statement } from 'bun:sqlite';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HASH_BYTES } from './object-hash.ts';
import { type ObjectTable, PAGE_SLOTS } from './object-table.ts';
import { release } from './release.ts';
import type { Reporter } from './reporter.ts';
import { breathe, Turn } from './turn.ts';

const INDEX_DIRECTORY = '.index';
const FILE = 'index.sqlite';
/** What damage is reported of when it cannot be written: healed when it can be again. */
const WRITING = `${INDEX_DIRECTORY}/${FILE}`;
const VERSION = '3';
const PAGE_BYTES = PAGE_SLOTS * (HASH_BYTES + 8 + 8 + 4 + 1);
const IMAGE_COLUMNS = 'path, stamp, entry, header, slots, fingerprint, sum';
/** After a failure the index is left alone this long, milliseconds: everything has to be written then. */
const REST_MS = 60_000;

/** One image, in place or in the trash; `path` relative to IMAGE_DIR. */
export interface ImageRow {
  readonly path: string;
  /** Identity of the file on disk when it was read: size, mtime, inode. */
  readonly stamp: string;
  /** What is kept in memory, as JSON. */
  readonly entry: string;
  /** gob(Image) without its file-system. */
  readonly header: Uint8Array;
  /** packSlots() of its objects. */
  readonly slots: Uint8Array;
}

export interface StoredImageRow extends ImageRow {
  /** ObjectTable.fingerprint() of the slots when the row was written. */
  readonly fingerprint: string;
}

function makeTables(database: Database): Database {
  database.run('CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID');
  database.run('CREATE TABLE IF NOT EXISTS page (number INTEGER PRIMARY KEY, data BLOB, sum TEXT)');
  database.run(
    'CREATE TABLE IF NOT EXISTS image (path TEXT PRIMARY KEY, stamp TEXT, entry TEXT, header BLOB, slots BLOB, fingerprint TEXT, sum TEXT)',
  );
  return database;
}

function openFile(folder: string): Database {
  const path = join(folder, FILE);
  const database = new Database(path, { create: true, strict: true });
  try {
    database.run('PRAGMA locking_mode = EXCLUSIVE');
    database.run('PRAGMA journal_mode = WAL');
    // Never waits for the disk. After a power failure it may be a mixture of old and new: every row has a checksum,
    // and an image's row says which hashes its slot numbers stand for.
    database.run('PRAGMA synchronous = OFF');
    database.run('PRAGMA cache_size = -1024');
    // What has been written is moved to its place in small steps.
    database.run('PRAGMA wal_autocheckpoint = 256');
    chmodSync(path, 0o600);
    return makeTables(database);
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

/** In memory if there can be none on the disk. */
function openEmpty(folder: string, reporter: Reporter): Database {
  try {
    for (const suffix of ['', '-wal', '-shm', '-journal'])
      rmSync(join(folder, FILE + suffix), { force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return openFile(folder);
  } catch (thrown) {
    reporter.damage(
      'index',
      INDEX_DIRECTORY,
      `cannot be written, kept in memory: ${(thrown as Error).message}`,
    );
    return makeTables(new Database(':memory:', { strict: true }));
  }
}

function sumOf(row: StoredImageRow): string {
  const text = Bun.hash(`${row.path}\n${row.stamp}\n${row.fingerprint}\n${row.entry}`) as bigint;
  return (Bun.hash(row.header, Bun.hash(row.slots, text) as bigint) as bigint).toString(16);
}

export class IndexDatabase {
  #database!: Database;
  readonly #folder: string;
  readonly #reporter: Reporter;
  #putPage!: Statement;
  #putImage!: Statement;
  #dropImage!: Statement;
  #header!: Statement<StoredImageRow & { sum: string }>;
  #putMeta!: Statement;
  readonly #images = new Map<string, ImageRow | undefined>();
  readonly #meta = new Map<string, string>();
  #flushing: Promise<void> | undefined;
  /** When it may be written to again, on the clock of performance.now(). */
  #restsUntil = 0;

  private constructor(database: Database, folder: string, reporter: Reporter) {
    this.#folder = folder;
    this.#reporter = reporter;
    this.#use(database);
  }

  #use(database: Database): void {
    this.#database = database;
    this.#putPage = database.prepare('INSERT OR REPLACE INTO page VALUES (?, ?, ?)');
    this.#putImage = database.prepare('INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#dropImage = database.prepare('DELETE FROM image WHERE path = ?');
    this.#header = database.prepare(`SELECT ${IMAGE_COLUMNS} FROM image WHERE path = ?`);
    this.#putMeta = database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)');
  }

  /** Opens the index in `directory`/.index; `fresh` if there was none that can be used. */
  static open(directory: string, reporter: Reporter): { index: IndexDatabase; fresh: boolean } {
    const folder = join(directory, INDEX_DIRECTORY);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const index = new IndexDatabase(openFile(folder), folder, reporter);
      const version = index.meta('version');
      if (version === VERSION) return { index, fresh: false };
      const used = version !== undefined;
      index.close();
      if (used) reporter.log(`Index of version ${version} is rebuilt`);
    } catch (thrown) {
      reporter.damage('index', INDEX_DIRECTORY, `cannot be used, is rebuilt: ${(thrown as Error).message}`);
    }
    const index = new IndexDatabase(openEmpty(folder, reporter), folder, reporter);
    index.#putMeta.run('version', VERSION);
    return { index, fresh: true };
  }

  meta(key: string): string | undefined {
    const pending = this.#meta.get(key);
    if (pending !== undefined) return pending;
    return this.#database.query<{ value: string }, [string]>('SELECT value FROM meta WHERE key = ?').get(key)
      ?.value;
  }

  setMeta(key: string, value: string): void {
    this.#meta.set(key, value);
  }

  /** Fills the table, in slices; false if what is there cannot be trusted, and then nothing of it may be used. */
  async loadObjects(table: ObjectTable, signal: AbortSignal): Promise<boolean> {
    const turn = new Turn();
    for (const { last } of this.#all<{ last: number | null }>('SELECT max(number) AS last FROM page'))
      table.reserve((last ?? -1) + 1);
    for (const { number, data, sum } of this.#all<{ number: number; data: Uint8Array; sum: string }>(
      'SELECT number, data, sum FROM page ORDER BY number',
    )) {
      if (data.length !== PAGE_BYTES || (Bun.hash(data) as bigint).toString(16) !== sum) {
        this.#reporter.damage('index', INDEX_DIRECTORY, `page ${number} is damaged, the index is rebuilt`);
        return false;
      }
      const bytes = data.buffer as ArrayBuffer;
      const sizes = PAGE_SLOTS * HASH_BYTES;
      table.restore(
        number,
        new Uint8Array(bytes, 0, sizes),
        new Float64Array(bytes, sizes, PAGE_SLOTS),
        new Float64Array(bytes, sizes + PAGE_SLOTS * 8, PAGE_SLOTS),
        new Uint32Array(bytes, sizes + PAGE_SLOTS * 16, PAGE_SLOTS),
        new Uint8Array(bytes, sizes + PAGE_SLOTS * 20, PAGE_SLOTS),
      );
      release(data);
      if (turn.over()) await turn.next();
      signal.throwIfAborted();
    }
    await table.restored();
    return true;
  }

  /** The images there are rows of, sound or not. */
  async imagePaths(signal: AbortSignal): Promise<Set<string>> {
    const turn = new Turn();
    const paths = new Set<string>();
    for (const { path } of this.#all<{ path: string }>('SELECT path FROM image')) {
      paths.add(path);
      if (turn.over()) await turn.next();
      signal.throwIfAborted();
    }
    return paths;
  }

  /** The row of an image as it was last written; undefined if there is none that can be used. */
  image(path: string): StoredImageRow | undefined {
    try {
      const stored = this.#header.get(path);
      if (!stored) return undefined;
      const { sum, ...row } = stored;
      if (sumOf(row) === sum) return row;
      this.#reporter.damage('index', INDEX_DIRECTORY, 'a row is damaged');
    } catch (thrown) {
      this.#reporter.damage('index', INDEX_DIRECTORY, `cannot be read: ${(thrown as Error).message}`);
    }
    return undefined;
  }

  *#all<Row>(sql: string): Iterable<Row> {
    const statement = this.#database.prepare<Row, []>(sql);
    try {
      yield* statement.iterate();
    } finally {
      statement.finalize();
    }
  }

  /** What is there cannot be used: an empty one in its place. */
  beginAnew(): void {
    this.close();
    this.#use(openEmpty(this.#folder, this.#reporter));
    this.#putMeta.run('version', VERSION);
  }

  putImage(row: ImageRow): void {
    this.#images.set(row.path, row);
  }

  dropImage(path: string): void {
    this.#images.set(path, undefined);
  }

  /** gob(Image) without its file-system; undefined if the index does not have it. */
  header(path: string): Uint8Array | undefined {
    return (this.#images.has(path) ? this.#images.get(path) : this.image(path))?.header;
  }

  get hasPending(): boolean {
    return this.#images.size > 0 || this.#meta.size > 0;
  }

  /** Writes what has changed, in slices; what changes meanwhile is for the next time. */
  async flush(table: ObjectTable): Promise<void> {
    while (this.#flushing) await this.#flushing;
    if (!this.hasPending && table.dirtyPages.size === 0) return;
    if (performance.now() < this.#restsUntil) return;
    this.#flushing = this.#write(table).finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  async #write(table: ObjectTable): Promise<void> {
    const pages = [...table.dirtyPages];
    const paths = [...this.#images.keys()];
    const turn = new Turn();
    try {
      // Each slice is a transaction: a commit takes as long as what it has to write. A process killed between two of
      // them leaves a mixture of old and new, as a power failure may, which the next start notices.
      while (pages.length > 0 || paths.length > 0 || this.#meta.size > 0) {
        this.#database.transaction(() => this.#slice(table, pages, paths, turn)).immediate();
        if (turn.over()) await turn.next();
      }
      this.#reporter.healed('index', WRITING);
    } catch (thrown) {
      this.#restsUntil = performance.now() + REST_MS;
      this.#reporter.damage('index', WRITING, `cannot be written: ${(thrown as Error).message}`);
      // Which rows were lost is not known any more; a cache that may lie is worse than none.
      for (const sql of ['DELETE FROM image', 'DELETE FROM page']) {
        try {
          this.#database.run(sql);
        } catch (failure) {
          // What cannot be deleted is told apart by its checksums.
          this.#reporter.log(`Index: ${(failure as Error).message}`);
        }
      }
      for (let page = 0; page * PAGE_SLOTS < table.end; page++) table.dirtyPages.add(page);
    }
    await breathe();
  }

  /** Writes until the turn is over; what is written is taken off the lists. */
  #slice(table: ObjectTable, pages: number[], paths: string[], turn: Turn): void {
    for (let page = pages.pop(); page !== undefined; page = pages.pop()) {
      this.#writePage(table, page);
      if (turn.over()) return;
    }
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
      this.#writeImage(table, path);
      if (turn.over()) return;
    }
    for (const [key, value] of this.#meta) this.#putMeta.run(key, value);
    this.#meta.clear();
  }

  #writePage(table: ObjectTable, page: number): void {
    const first = page * PAGE_SLOTS;
    const end = first + PAGE_SLOTS;
    const data = new Uint8Array(PAGE_BYTES);
    const sizes = PAGE_SLOTS * HASH_BYTES;
    data.set(table.hashes.subarray(first * HASH_BYTES, end * HASH_BYTES));
    new Float64Array(data.buffer, sizes, PAGE_SLOTS).set(table.sizes.subarray(first, end));
    new Float64Array(data.buffer, sizes + PAGE_SLOTS * 8, PAGE_SLOTS).set(table.since.subarray(first, end));
    new Uint32Array(data.buffer, sizes + PAGE_SLOTS * 16, PAGE_SLOTS).set(
      table.protectedUntil.subarray(first, end),
    );
    data.set(table.states.subarray(first, end), sizes + PAGE_SLOTS * 20);
    this.#putPage.run(page, data, (Bun.hash(data) as bigint).toString(16));
    table.dirtyPages.delete(page);
  }

  #writeImage(table: ObjectTable, path: string): void {
    if (!this.#images.has(path)) return;
    const row = this.#images.get(path);
    if (row) {
      const stored = { ...row, fingerprint: table.fingerprint(row.slots) };
      const { stamp, entry, header, slots, fingerprint } = stored;
      this.#putImage.run(path, stamp, entry, header, slots, fingerprint, sumOf(stored));
    } else this.#dropImage.run(path);
    this.#images.delete(path);
  }

  close(): void {
    // A statement left open would keep the database locked.
    for (const statement of [this.#putPage, this.#putImage, this.#dropImage, this.#header, this.#putMeta])
      statement.finalize();
    try {
      this.#database.close();
    } catch (thrown) {
      this.#reporter.log(`Index: ${(thrown as Error).message}`);
    }
  }
}
