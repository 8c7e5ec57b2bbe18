/** What a command is, and what it is given. */
import { dialServer } from './dial.ts';
import type { ToolFlags } from './flags.ts';
import type { ToolIo } from './io.ts';
import { Progress } from './progress.ts';
import type { WatchedClient } from './watched-client.ts';

export interface Command {
  readonly name: string;
  /** For the usage text, e.g. `name directory`. */
  readonly args: string;
  readonly minArgs: number;
  readonly maxArgs: number;
  readonly summary: string;
  /** What the command was about, for `Error <doing>: <cause>`; the colon is added unless it ends in white space. */
  readonly doing: (args: readonly string[]) => string;
  /** Resolves with the exit status. */
  run(context: Context, args: readonly string[]): Promise<number>;
}

/** Shared by everything that one command line does. */
export class Context {
  readonly progress: Progress;
  readonly #cleanUps = new Set<() => void>();
  #client: Promise<WatchedClient> | undefined;
  #uploads: Promise<WatchedClient> | undefined;

  constructor(
    readonly flags: ToolFlags,
    readonly io: ToolIo,
  ) {
    this.progress = new Progress(io);
  }

  /** The connection to the image server, made when it is first needed. */
  client(): Promise<WatchedClient> {
    this.#client ??= dialServer(this.flags);
    return this.#client;
  }

  /** A second connection, which uploads keep to themselves. */
  uploadClient(): Promise<WatchedClient> {
    this.#uploads ??= dialServer(this.flags);
    return this.#uploads;
  }

  out(data: string | Uint8Array): Promise<void> {
    return this.io.out(data);
  }
  json(value: unknown): Promise<void> {
    return this.io.out(
      `${JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? Number(one) : one))}\n`,
    );
  }

  /** One line for people, from a -logDebugLevel on. */
  debug(level: number, line: string): void {
    if (this.flags.logDebugLevel < level) return;
    this.progress.clear();
    this.io.say(line);
  }

  /** Work to be undone when the command ends, also when it is interrupted. Call the result to do it earlier. */
  cleanUp(undo: () => void): () => void {
    const once = () => {
      if (this.#cleanUps.delete(once)) undo();
    };
    this.#cleanUps.add(once);
    return once;
  }
  /** Runs what is left to undo; synchronous, so that a signal can do it. */
  undoAll(): void {
    for (const undo of [...this.#cleanUps].reverse()) undo();
  }

  async close(): Promise<void> {
    this.undoAll();
    this.progress.clear();
    for (const dialled of [this.#client, this.#uploads]) {
      const client = await dialled?.catch(() => undefined);
      client?.close();
    }
  }
}
