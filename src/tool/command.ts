/** What a command is, and what it is given. */
import { ImageServerError } from '../errors.ts';
import { connectSrpc, type SrpcClient } from '../srpc/client.ts';
import { encodeText } from '../wire/text.ts';
import type { ToolFlags } from './flags.ts';

export interface Command {
  readonly name: string;
  /** For the usage text, e.g. `name directory`. */
  readonly args: string;
  readonly minArgs: number;
  readonly maxArgs: number;
  readonly summary: string;
  /** The original's beginning of the error message: `Error <doing>: <cause>`. */
  readonly doing: (args: readonly string[]) => string;
  /** Resolves with the exit status. */
  run(context: Context, args: readonly string[]): Promise<number>;
}

/** Shared by the commands of one invocation. */
export class Context {
  #client: Promise<SrpcClient> | undefined;
  readonly #others: SrpcClient[] = [];
  constructor(readonly flags: ToolFlags) {}

  #dial(): Promise<SrpcClient> {
    return connectSrpc({ host: this.flags.imageServerHostname, port: this.flags.imageServerPortNum }).catch(
      (cause) => {
        throw cause instanceof ImageServerError ? new DialError(cause) : cause;
      },
    );
  }
  /** The connection to the image server, made when it is first needed. */
  client(): Promise<SrpcClient> {
    this.#client ??= this.#dial();
    return this.#client;
  }
  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    client?.close();
    for (const other of this.#others) other.close();
  }
  /** Writes data to stdout; names that are not UTF-8 come out as their bytes. */
  out(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      process.stdout.write(typeof data === 'string' ? encodeText(data) : data, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
}

/** The server could not be reached: the message does not name the command. */
export class DialError extends ImageServerError {
  constructor(cause: ImageServerError) {
    super(cause.code, cause.message, { cause });
  }
}
