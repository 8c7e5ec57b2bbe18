/**
 * Log files as the original keeps them: one for each start and each rotation, named by local time, `latest` points to the
 * newest; the oldest go when all together are over the quota.
 */
import {
  createWriteStream,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  type WriteStream,
} from 'node:fs';
import { join } from 'node:path';
import { two } from './log-time.ts';

export interface LogFilesOptions {
  readonly directory: string;
  /** Bytes after which a new file is begun; at least 16 KiB. */
  readonly maxFileBytes: number;
  /** Bytes of all files together; at least 64 KiB. */
  readonly quotaBytes: number;
  /** Told what goes wrong with the files themselves; lines go on to the other places. */
  readonly onProblem: (text: string) => void;
  readonly now?: () => Date;
}

const MIN_FILE = 16 * 1024;
const MIN_QUOTA = 64 * 1024;
/** Small files count as this part of the quota, so there are never more than so many. */
const MOST_FILES = 1024;
/** Bytes that may wait for a slow disk; what comes then is counted and left out. */
const MAX_WAITING = 4 * 1024 * 1024;
const NAME = /^\d{4}-\d\d-\d\d:\d\d:\d\d:\d\d(?:\.\d+)?$/;
const LATEST = 'latest';

/** `2026-11-23:06:27:02.42`, local time, without zeros at the end. */
function fileName(time: Date): string {
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const fraction = `.${String(time.getMilliseconds()).padStart(3, '0')}`.replace(/\.?0+$/, '');
  return `${date}:${clock}${fraction}`;
}

export class LogFiles {
  readonly #options: LogFilesOptions;
  #file: WriteStream | undefined;
  /** Not closed yet, those before the present one too. */
  readonly #open = new Set<WriteStream>();
  #name = '';
  #bytes = 0;
  #lost = 0;

  /** Throws if the directory or the first file cannot be made. */
  constructor(options: LogFilesOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o755 });
    this.#begin();
  }

  /** `text` ends in a newline. */
  write(text: string): void {
    const file = this.#file;
    if (!file) return;
    if (file.writableLength > MAX_WAITING) {
      this.#lost++;
      return;
    }
    file.write(text);
    this.#bytes += text.length;
    if (this.#bytes > Math.max(this.#options.maxFileBytes, MIN_FILE)) this.#rotate();
  }

  /** Resolves when everything is in the files. */
  async close(): Promise<void> {
    this.#file?.end();
    this.#file = undefined;
    await Promise.all([...this.#open].map((file) => new Promise((resolve) => file.once('close', resolve))));
  }

  #begin(): void {
    const { directory, now = () => new Date() } = this.#options;
    this.#enforceQuota();
    const name = fileName(now());
    // Within the same millisecond the same file goes on.
    const file = createWriteStream(join(directory, name), { flags: 'a', mode: 0o644 });
    this.#open.add(file);
    file.on('close', () => this.#open.delete(file));
    file.on('error', (error) => {
      if (this.#file === file) this.#file = undefined;
      this.#options.onProblem(`cannot write the log: ${error.message}`);
    });
    file.on('drain', () => {
      if (this.#lost > 0) file.write(`${this.#lost} lines left out, the disk was too slow\n`);
      this.#lost = 0;
    });
    this.#file = file;
    this.#name = name;
    this.#bytes = 0;
    const fresh = join(directory, `.${LATEST}`);
    try {
      symlinkSync(name, fresh);
      renameSync(fresh, join(directory, LATEST));
    } catch (error) {
      this.#options.onProblem(`cannot point ${LATEST} to the log: ${(error as Error).message}`);
    }
  }

  #rotate(): void {
    const file = this.#file;
    file?.end('Closing and will open new logfile\n');
    this.#begin();
  }

  #enforceQuota(): void {
    const { directory } = this.#options;
    const quota = Math.max(this.#options.quotaBytes, MIN_QUOTA);
    try {
      const names = readdirSync(directory).filter((name) => NAME.test(name) && name !== this.#name);
      let left = quota;
      // The newest first; names are times.
      for (const name of names.sort().reverse()) {
        const path = join(directory, name);
        left -= Math.max(statSync(path).size, quota / MOST_FILES);
        if (left < 0) unlinkSync(path);
      }
    } catch (error) {
      this.#options.onProblem(`cannot delete old logs: ${(error as Error).message}`);
    }
  }
}
