/**
 * A typed client of the image server over HTTP(S): every method of the RPC protocol, objects, live updates. The types
 * come from the declarations that the server itself is made of.
 *
 * ```ts
 * import { ImageServerClient } from 'imageserver/client';
 * const server = new ImageServerClient({ url: 'http://localhost:6971' });
 * const { ImageName } = await server.call('ImageServer.FindLatestImage', { DirectoryName: 'base' });
 * ```
 */
import { fromJson, toJson } from '../src/wire/json.ts';
import { ImageUpdate } from '../src/wire/messages/imageserver.ts';
import type { StructSchema, ValueOf } from '../src/wire/schema.ts';
import { checkAnswer } from './errors.ts';
import { linesOf } from './lines.ts';
import { CALLS, LISTS } from './methods.ts';
import { Objects } from './objects.ts';

export type { GenericInode } from '../src/wire/messages/filesystem.ts';
export type { Image } from '../src/wire/messages/image.ts';
export { type ImageUpdate, Operation } from '../src/wire/messages/imageserver.ts';
export { type GoTime, timeFromMillis, toMillis, ZERO_TIME } from '../src/wire/time.ts';
export { ImageServerProblem } from './errors.ts';
export { hashOf, type ReceivedObject, type StoredObject } from './objects.ts';

export type Call = keyof typeof CALLS;
/** Fields that are left out have their zero values. */
export type RequestOf<M extends Call> = Partial<ValueOf<(typeof CALLS)[M]['request']>>;
export type ReplyOf<M extends Call> = ValueOf<(typeof CALLS)[M]['reply']>;
export type List = keyof typeof LISTS;
export type ItemOf<M extends List> = (typeof LISTS)[M]['item'] extends StructSchema<infer T> ? T : string;

export interface ClientOptions {
  /** For instance `https://images.example.com:6971`. */
  readonly url: string;
  /** Client certificate and CA, PEM; the runtime's fetch must know `tls` (Bun's does). */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  readonly fetch?: typeof fetch;
}

const JSON_HEADERS = { 'content-type': 'application/json' };
const RETRY_MS = 2000;

export class ImageServerClient {
  readonly objects: Objects;
  readonly #send: (path: string, init?: RequestInit) => Promise<Response>;

  constructor(options: ClientOptions) {
    const base = options.url.replace(/\/+$/, '');
    const send = options.fetch ?? fetch;
    const tls = options.tls ? { tls: options.tls } : {};
    this.#send = (path, init) => send(base + path, { ...init, ...tls } as RequestInit);
    this.objects = new Objects(this.#send);
  }

  /** One call with one reply. Throws ImageServerProblem. */
  async call<M extends Call>(method: M, request: RequestOf<M>, signal?: AbortSignal): Promise<ReplyOf<M>> {
    const { request: schema, reply } = CALLS[method] as { request: StructSchema; reply: StructSchema };
    const body = toJson(schema, request);
    const init = { method: 'POST', headers: JSON_HEADERS, body, ...(signal ? { signal } : {}) };
    const response = await checkAnswer(await this.#send(`/rpc/${method}`, init));
    return fromJson(reply, await response.text()) as ReplyOf<M>;
  }

  /** A list, item by item as they come. Throws ImageServerProblem, or what the connection broke with. */
  async *list<M extends List>(method: M): AsyncGenerator<ItemOf<M>> {
    const response = await checkAnswer(
      await this.#send(`/rpc/${method}`, { method: 'POST', headers: JSON_HEADERS, body: '{}' }),
    );
    const { item } = LISTS[method] as { item: StructSchema | undefined };
    for await (const line of linesOf(response))
      yield (item ? fromJson(item, line) : JSON.parse(line)) as ItemOf<M>;
  }

  /**
   * Everything there is and then every change as it happens, until the signal says stop. Comes back by itself after the
   * connection has broken, with what happened meanwhile; if that cannot be told any more, with everything again.
   */
  async *updates(signal?: AbortSignal): AsyncGenerator<ImageUpdate> {
    let lastId = '';
    for (;;) {
      try {
        const headers = { accept: 'text/event-stream', ...(lastId ? { 'last-event-id': lastId } : {}) };
        const init = { headers, ...(signal ? { signal } : {}) };
        const response = await checkAnswer(await this.#send('/rpc/ImageServer.GetImageUpdates', init));
        for await (const line of linesOf(response)) {
          if (line.startsWith('id: ')) lastId = line.slice(4);
          else if (line.startsWith('data: ')) yield fromJson(ImageUpdate, line.slice(6)) as ImageUpdate;
        }
      } catch (error) {
        if (signal?.aborted) return;
        // Only what was there once is waited for.
        if (lastId === '') throw error;
      }
      if (signal?.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** One file out of an image. Slashes of both names stay. */
  async file(image: string, path: string): Promise<Response> {
    return checkAnswer(
      await this.#send(
        `/images/${encodeURIComponent(image)}/files/${encodeURIComponent(path.replace(/^\/+/, ''))}`,
      ),
    );
  }

  /** The whole tree of an image as a tar archive, streamed. */
  async archive(image: string): Promise<Response> {
    return checkAnswer(await this.#send(`/images/${encodeURIComponent(image)}.tar`));
  }
}
