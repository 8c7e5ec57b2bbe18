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
  initialLogDebugLevel: flag(intFlag, -1, 'Taken for compatibility; there are no debug messages'),
  debug: flag(booleanFlag, false, 'Taken for compatibility; without effect'),
} as const;
export type LogFlags = FlagValues<typeof LOG_FLAGS>;

const MIN_LINES = 100;

export class Log {
  readonly #lines: string[] = [];
  readonly #flags: LogFlags;
  readonly #files: LogFiles | undefined;
  readonly #mark: NodeJS.Timeout | undefined;

  /** Throws if the directory cannot be made. */
  constructor(flags: LogFlags) {
    this.#flags = flags;
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
  readonly write = (text: string): void => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: names may hold them, the log must not
    const clean = text.replace(/[\u0000-\u001f]+/g, ' ');
    const line = `${logTime(new Date(), this.#flags.logSubseconds)} ${clean}`;
    this.#lines.push(line);
    if (this.#lines.length > Math.max(MIN_LINES, this.#flags.logbufLines)) this.#lines.shift();
    this.#files?.write(`${line}\n`);
    if (this.#flags.alsoLogToStderr) process.stderr.write(`${line}\n`);
    this.#mark?.refresh();
  };

  /** Oldest first. */
  lines(): readonly string[] {
    return this.#lines;
  }

  async close(): Promise<void> {
    clearTimeout(this.#mark);
    await this.#files?.close();
  }
}
