/** The server's log: files, the last lines in memory for the status page, stderr if asked. */
import {
  booleanFlag,
  durationFlag,
  type FlagValues,
  flag,
  intFlag,
  sizeFlag,
  stringFlag,
  uintFlag,
} from '../flags/flags.ts';
import type { RemoteLog } from '../methods/services.ts';
import { LogFiles } from './log-files.ts';
import { logTime } from './log-time.ts';

const MIB = 1024 * 1024;

export const LOG_FLAGS = {
  logDir: flag(stringFlag, '/var/log/imageserver', 'Log directory; empty = no log files'),
  logFileMaxSize: flag(sizeFlag, 10 * MIB, 'Size of a log file after which a new one is begun'),
  logQuota: flag(sizeFlag, 100 * MIB, 'Size of all log files together: the oldest are deleted'),
  logbufLines: flag(uintFlag, 1024, 'Log lines kept in memory and shown on the status page'),
  logSubseconds: flag(booleanFlag, false, 'Log times with fractions of seconds'),
  alsoLogToStderr: flag(booleanFlag, false, 'Copy the log to stderr'),
  idleMarkTimeout: flag(durationFlag, 0n, 'Write a MARK line when nothing was logged for so long; 0 = never'),
  initialLogDebugLevel: flag(intFlag, -1, 'Level up to which debug messages are logged; -1 = none'),
  debug: flag(booleanFlag, false, 'Taken for compatibility; without effect'),
} as const;
export type LogFlags = FlagValues<typeof LOG_FLAGS>;

const MIN_LINES = 100;

/** Of messages that are no debug messages, and the lowest there is. */
const ALWAYS = -1;

interface Listener {
  readonly level: number;
  readonly onLine: (line: string) => void;
}

export class Log implements RemoteLog {
  readonly #lines: string[] = [];
  readonly #flags: LogFlags;
  readonly #files: LogFiles | undefined;
  readonly #mark: NodeJS.Timeout | undefined;
  readonly #listeners = new Set<Listener>();
  #level: number;

  /** Throws if the directory cannot be made. */
  constructor(flags: LogFlags) {
    this.#flags = flags;
    this.#level = Math.max(ALWAYS, flags.initialLogDebugLevel);
    if (flags.logDir !== '')
      this.#files = new LogFiles({
        directory: flags.logDir,
        maxFileBytes: flags.logFileMaxSize,
        quotaBytes: flags.logQuota,
        onProblem: (text) => process.stderr.write(`${text}\n`),
      });
    const idle = Number(flags.idleMarkTimeout / 1_000_000n);
    if (idle > 0) this.#mark = setTimeout(() => this.write('MARK'), idle).unref();
  }

  /** Writes one line; line ends inside become spaces. */
  readonly write = (text: string): void => this.#write(ALWAYS, text);

  #write(level: number, text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: names may hold them, the log must not
    const clean = text.replace(/[\u0000-\u001f]+/g, ' ');
    const line = `${logTime(new Date(), this.#flags.logSubseconds)} ${clean}`;
    if (level <= this.#level) this.#keep(line);
    for (const listener of this.#listeners) if (level <= listener.level) listener.onLine(`${line}\n`);
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > Math.max(MIN_LINES, this.#flags.logbufLines)) this.#lines.shift();
    this.#files?.write(`${line}\n`);
    if (this.#flags.alsoLogToStderr) process.stderr.write(`${line}\n`);
    this.#mark?.refresh();
  }

  debug(level: number, text: string): void {
    // Nothing is made that nobody wants.
    if (level > this.#level && ![...this.#listeners].some((listener) => level <= listener.level)) return;
    this.#write(level, text);
  }
  setLevel(level: number): void {
    this.#level = Math.max(ALWAYS, level);
  }

  subscribe(level: number, onLine: (line: string) => void): () => void {
    const listener = { level: Math.max(ALWAYS, level), onLine };
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Oldest first. */
  lines(): readonly string[] {
    return this.#lines;
  }

  async close(): Promise<void> {
    clearTimeout(this.#mark);
    await this.#files?.close();
  }
}
