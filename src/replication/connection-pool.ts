/** A few connections to the master, opened when needed; each carries one call at a time. */
import { ImageServerError } from '../errors.ts';
import type { SrpcClient } from '../srpc/client.ts';

export class ConnectionPool {
  readonly #connect: () => Promise<SrpcClient>;
  readonly #limit: number;
  readonly #idle: SrpcClient[] = [];
  readonly #all = new Set<SrpcClient>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #closed = false;

  constructor(connect: () => Promise<SrpcClient>, limit: number) {
    this.#connect = connect;
    this.#limit = limit;
  }

  /** Runs `work` on a connection of its own. If it throws `keep`-less, the connection is closed. */
  async use<T>(work: (client: SrpcClient) => Promise<T>): Promise<T> {
    while (this.#busy >= this.#limit && !this.#closed)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#closed) throw new ImageServerError('UNAVAILABLE', 'connection closed');
    this.#busy++;
    let client: SrpcClient | undefined;
    try {
      do client = this.#idle.pop();
      while (client?.closed);
      client ??= await this.#connect();
      this.#all.add(client);
      if (this.#closed) throw new ImageServerError('UNAVAILABLE', 'connection closed');
      const result = await work(client);
      if (!client.closed) this.#idle.push(client);
      return result;
    } catch (thrown) {
      // What is left unread on it is not known.
      client?.close();
      if (client) this.#all.delete(client);
      throw thrown;
    } finally {
      this.#busy--;
      this.#waiting.shift()?.();
    }
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#all) client.close();
    this.#all.clear();
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
