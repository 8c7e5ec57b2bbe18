/**
 * The index: what is derived from the directories, kept so that a start need not read everything. A cache: if it is
 * missing, damaged or from another version it is begun anew.
 */
import { Database, type Statement } from 'bun:sqlite';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HASH_BYTES } from './object-hash.ts';
import { type ObjectTable, PAGE_SLOTS } from './object-table.ts';
import type { Reporter } from './reporter.ts';
import { breathe, Turn } from './turn.ts';

const INDEX_DIRECTORY = '.index';
const FILE = 'index.sqlite';
/** What damage is reported of when it cannot be written: healed when it can be again. */
const WRITING = `${INDEX_DIRECTORY}/${FILE}`;
const VERSION = '3';
const PAGE_BYTES = PAGE_SLOTS * (HASH_BYTES + 8 + 8 + 4 + 1);
/** What remains to be written at most when a transaction is finished in one go. */
const LAST_PAGES = 16;
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

function sumOf(row: StoredImageRow): string {
  const text = Bun.hash(`${row.path}\n${row.stamp}\n${row.fingerprint}\n${row.entry}`) as bigint;
  return (Bun.hash(row.header, Bun.hash(row.slots, text) as bigint) as bigint).toString(16);
}

export class IndexDatabase {
  readonly #database: Database;
  readonly #folder: string;
  readonly #reporter: Reporter;
  readonly #putPage: Statement;
  readonly #putImage: Statement;
  readonly #dropImage: Statement;
  readonly #header: Statement<StoredImageRow & { sum: string }>;
  readonly #putMeta: Statement;
  readonly #getMeta: Statement<{ value: string }>;
  readonly #images = new Map<string, ImageRow | undefined>();
  readonly #meta = new Map<string, string>();
  #flushing: Promise<void> | undefined;
  /** When it may be written to again, on the clock of performance.now(). */
  #restsUntil = 0;

  private constructor(database: Database, folder: string, reporter: Reporter) {
    this.#database = database;
    this.#folder = folder;
    this.#reporter = reporter;
    database.run('CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID');
    database.run('CREATE TABLE IF NOT EXISTS page (number INTEGER PRIMARY KEY, data BLOB, sum TEXT)');
    database.run(
      'CREATE TABLE IF NOT EXISTS image (path TEXT PRIMARY KEY, stamp TEXT, entry TEXT, header BLOB, slots BLOB, fingerprint TEXT, sum TEXT)',
    );
    this.#putPage = database.prepare('INSERT OR REPLACE INTO page VALUES (?, ?, ?)');
    this.#putImage = database.prepare('INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#dropImage = database.prepare('DELETE FROM image WHERE path = ?');
    this.#header = database.prepare(`SELECT ${IMAGE_COLUMNS} FROM image WHERE path = ?`);
    this.#getMeta = database.prepare('SELECT value FROM meta WHERE key = ?');
    this.#putMeta = database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)');
  }

  /** Opens the index in `directory`/.index; `fresh` if there was none that can be used. */
  static open(directory: string, reporter: Reporter): { index: IndexDatabase; fresh: boolean } {
    const folder = join(directory, INDEX_DIRECTORY);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const index = IndexDatabase.#openFile(folder, reporter);
      const version = index.meta('version');
      if (version === VERSION) return { index, fresh: false };
      const used = version !== undefined;
      index.close();
      if (used) reporter.log(`Index of version ${version} is rebuilt`);
    } catch (thrown) {
      reporter.damage('index', INDEX_DIRECTORY, `cannot be used, is rebuilt: ${(thrown as Error).message}`);
    }
    return { index: IndexDatabase.#begin(folder, reporter), fresh: true };
  }

  static #openFile(folder: string, reporter: Reporter): IndexDatabase {
    const path = join(folder, FILE);
    const database = new Database(path, { create: true, strict: true });
    try {
      database.run('PRAGMA locking_mode = EXCLUSIVE');
      database.run('PRAGMA journal_mode = WAL');
      // Never waits for the disk. After a power failure it may be a mixture of old and new: every row has a checksum,
      // and an image's row says which hashes its slot numbers stand for.
      database.run('PRAGMA synchronous = OFF');
      database.run('PRAGMA cache_size = -1024');
      chmodSync(path, 0o600);
      return new IndexDatabase(database, folder, reporter);
    } catch (thrown) {
      database.close();
      throw thrown;
    }
  }

  static #begin(folder: string, reporter: Reporter): IndexDatabase {
    let index: IndexDatabase;
    try {
      for (const suffix of ['', '-wal', '-shm', '-journal'])
        rmSync(join(folder, FILE + suffix), { force: true });
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      index = IndexDatabase.#openFile(folder, reporter);
    } catch (thrown) {
      reporter.damage(
        'index',
        INDEX_DIRECTORY,
        `cannot be written, kept in memory: ${(thrown as Error).message}`,
      );
      index = new IndexDatabase(new Database(':memory:', { strict: true }), folder, reporter);
    }
    index.#putMeta.run('version', VERSION);
    return index;
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

  /** Fills the table; false if what is there cannot be trusted, and then nothing of it may be used. */
  loadObjects(table: ObjectTable): boolean {
    for (const { last } of this.#all<{ last: number | null }>('SELECT max(number) AS last FROM page'))
      table.reserve((last ?? -1) + 1);
    for (const { number, data, sum } of this.#all<{ number: number; data: Uint8Array; sum: string }>(
      'SELECT number, data, sum FROM page ORDER BY number',
    )) {
      if (data.length !== PAGE_BYTES || (Bun.hash(data) as bigint).toString(16) !== sum) {
        this.#reporter.damage('index', INDEX_DIRECTORY, `page ${number} is damaged, the index is rebuilt`);
        return false;
      }
      const bytes = data.slice().buffer;
      const sizes = PAGE_SLOTS * HASH_BYTES;
      table.restore(
        number,
        new Uint8Array(bytes, 0, sizes),
        new Float64Array(bytes, sizes, PAGE_SLOTS),
        new Float64Array(bytes, sizes + PAGE_SLOTS * 8, PAGE_SLOTS),
        new Uint32Array(bytes, sizes + PAGE_SLOTS * 16, PAGE_SLOTS),
        new Uint8Array(bytes, sizes + PAGE_SLOTS * 20, PAGE_SLOTS),
      );
    }
    table.restored();
    return true;
  }

  /** All images but damaged rows: those are read from their files again. */
  *loadImages(): Iterable<StoredImageRow> {
    const rows = this.#all<StoredImageRow & { sum: string }>(`SELECT ${IMAGE_COLUMNS} FROM image`);
    for (const { sum, ...row } of rows) if (sumOf(row) === sum) yield row;
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
  beginAnew(): IndexDatabase {
    this.close();
    return IndexDatabase.#begin(this.#folder, this.#reporter);
  }

  putImage(row: ImageRow): void {
    this.#images.set(row.path, row);
  }

  dropImage(path: string): void {
    this.#images.set(path, undefined);
  }

  /** gob(Image) without its file-system; undefined if the index does not have it. */
  header(path: string): Uint8Array | undefined {
    if (this.#images.has(path)) return this.#images.get(path)?.header;
    try {
      const stored = this.#header.get(path);
      if (!stored) return undefined;
      const { sum, ...row } = stored;
      if (sumOf(row) === sum) return row.header;
      this.#reporter.damage('index', INDEX_DIRECTORY, 'a row is damaged');
    } catch (thrown) {
      this.#reporter.damage('index', INDEX_DIRECTORY, `cannot be read: ${(thrown as Error).message}`);
    }
    return undefined;
  }

  get hasPending(): boolean {
    return this.#images.size > 0 || this.#meta.size > 0;
  }

  /** Writes what has changed, in slices, as one transaction: the index is never between two states. */
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
    const database = this.#database;
    try {
      database.run('BEGIN');
      const turn = new Turn();
      // An image's row only names slots it refers to; those do not change while it does. What changes meanwhile is
      // marked again and written in the last, undivided part.
      for (const page of [...table.dirtyPages]) {
        if (table.dirtyPages.size <= LAST_PAGES) break;
        this.#writePage(table, page);
        if (turn.over()) await turn.next();
      }
      for (const path of [...this.#images.keys()]) {
        this.#writeImage(table, path);
        if (turn.over()) await turn.next();
      }
      for (const path of [...this.#images.keys()]) this.#writeImage(table, path);
      for (const page of [...table.dirtyPages]) this.#writePage(table, page);
      for (const [key, value] of this.#meta) this.#putMeta.run(key, value);
      this.#meta.clear();
      database.run('COMMIT');
      this.#reporter.healed('index', WRITING);
    } catch (thrown) {
      this.#restsUntil = performance.now() + REST_MS;
      this.#reporter.damage('index', WRITING, `cannot be written: ${(thrown as Error).message}`);
      // Which rows were lost is not known any more; a cache that may lie is worse than none.
      for (const sql of ['ROLLBACK', 'DELETE FROM image', 'DELETE FROM page']) {
        try {
          database.run(sql);
        } catch (failure) {
          // A full disk has rolled back by itself; what cannot be deleted is told apart by its checksums.
          this.#reporter.log(`Index: ${(failure as Error).message}`);
        }
      }
      for (let page = 0; page * PAGE_SLOTS < table.end; page++) table.dirtyPages.add(page);
    }
    await breathe();
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
    for (const statement of [
      this.#putPage,
      this.#putImage,
      this.#dropImage,
      this.#header,
      this.#putMeta,
      this.#getMeta,
    ])
      statement.finalize();
    try {
      this.#database.close();
    } catch (thrown) {
      this.#reporter.log(`Index: ${(thrown as Error).message}`);
    }
  }
}
