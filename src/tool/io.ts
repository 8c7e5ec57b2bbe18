/** Where a command writes; the terminal, or something else in tests. */

export interface ToolIo {
  /** Data. Resolves when more may come. */
  out(data: string | Uint8Array): Promise<void>;
  /** One line for people. */
  say(line: string): void;
  /** Raw text on stderr, for the progress line. */
  status(text: string): void;
  /** Whether stderr is a terminal. */
  readonly terminal: boolean;
  /** The archive that comes through a pipe. */
  readonly stdin: AsyncIterable<Uint8Array>;
}

// Whoever writes is told when the reader is gone; without this the runtime would end the program with a trace.
process.stdout.on('error', () => undefined);

export const processIo: ToolIo = {
  out: (data) =>
    new Promise((resolve, reject) => {
      process.stdout.write(data, (error) => (error ? reject(error) : resolve()));
    }),
  say: (line) => void process.stderr.write(`${line}\n`),
  status: (text) => void process.stderr.write(text),
  terminal: process.stderr.isTTY === true,
  get stdin() {
    return process.stdin as AsyncIterable<Uint8Array>;
  },
};
