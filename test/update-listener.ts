/** Listens to what a server tells of its changes, and when. */
import type { SrpcClient } from '../src/srpc/client.ts';
import { ImageUpdate } from '../src/wire/messages/imageserver.ts';
import type { Node } from './replication-lab.ts';

/** What takes so long is not coming, milliseconds. */
const NEVER_MS = 30_000;

interface Heard {
  readonly update: ImageUpdate;
  /** By performance.now(). */
  readonly at: number;
}

export class UpdateListener {
  readonly #heard: Heard[] = [];
  readonly #client: SrpcClient;
  #more = Promise.withResolvers<void>();
  #over = '';

  private constructor(client: SrpcClient) {
    this.#client = client;
  }

  /** The call is made; nothing need have come yet. */
  static async on(node: Node): Promise<UpdateListener> {
    const listener = new UpdateListener(await node.client());
    listener.#listen().then(
      () => listener.#end('the server closed the stream'),
      (error: Error) => listener.#end(error.message),
    );
    return listener;
  }

  async #listen(): Promise<void> {
    const channel = await this.#client.open('ImageServer.GetImageUpdates');
    for (;;) {
      const update = await channel.receive(ImageUpdate);
      if (!update) return;
      this.#heard.push({ update, at: performance.now() });
      this.#wake();
    }
  }

  #wake(): void {
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }
  #end(reason: string): void {
    this.#over = reason;
    this.#wake();
  }

  /** How many updates have come so far. */
  get count(): number {
    return this.#heard.length;
  }

  /** When the first such update after the first `count` came, by performance.now(). */
  async after(count: number, matches: (update: ImageUpdate) => boolean): Promise<number> {
    const never = Promise.withResolvers<never>();
    const timer = setTimeout(() => never.reject(new Error('the update never came')), NEVER_MS);
    try {
      for (let next = count; ; ) {
        const heard = this.#heard[next];
        if (heard) {
          if (matches(heard.update)) return heard.at;
          next++;
        } else if (this.#over) throw new Error(this.#over);
        else await Promise.race([this.#more.promise, never.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for the end of the list that comes first. */
  listed(): Promise<number> {
    return this.after(0, ({ Name, Directory }) => Name === '' && !Directory);
  }

  close(): void {
    this.#client.close();
  }
}
