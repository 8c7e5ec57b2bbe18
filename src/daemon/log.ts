/** The server's log: a file, the last lines in memory for the status page, stderr if asked. */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';

const two = (value: number) => String(value).padStart(2, '0');

/** `2026/11/23 06:27:02`, local time, as the original's lines begin. */
function stamp(now: Date): string {
  const date = `${now.getFullYear()}/${two(now.getMonth() + 1)}/${two(now.getDate())}`;
  return `${date} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
}

export interface LogOptions {
  /** Empty = no file. */
  readonly directory: string;
  readonly lines: number;
  readonly alsoToStderr: boolean;
}

export class Log {
  readonly #lines: string[] = [];
  readonly #limit: number;
  readonly #stderr: boolean;
  #file: WriteStream | undefined;

  /** Throws if the directory cannot be made. */
  constructor(options: LogOptions) {
    this.#limit = Math.max(100, options.lines);
    this.#stderr = options.alsoToStderr;
    if (options.directory === '') return;
    mkdirSync(options.directory, { recursive: true, mode: 0o755 });
    this.#file = createWriteStream(join(options.directory, 'imageserver.log'), { flags: 'a', mode: 0o644 });
    this.#file.on('error', (error) => {
      this.#file = undefined;
      process.stderr.write(`cannot write the log: ${error.message}\n`);
    });
  }

  /** Writes one line; line ends inside become spaces. */
  readonly write = (text: string): void => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: names may hold them, the log must not
    const line = `${stamp(new Date())} ${text.replace(/[\u0000-\u001f]+/g, ' ')}`;
    this.#lines.push(line);
    if (this.#lines.length > this.#limit) this.#lines.shift();
    this.#file?.write(`${line}\n`);
    if (this.#stderr) process.stderr.write(`${line}\n`);
  };

  /** Oldest first. */
  lines(): readonly string[] {
    return this.#lines;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#file) this.#file.end(() => resolve());
      else resolve();
    });
  }
}
