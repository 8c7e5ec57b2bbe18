/** The ports to a master, spoken over SRPC: works with the original of any version and with ours. */
import { ImageServerError } from '../errors.ts';
import { type ClientChannel, RemoteError, type SrpcClient } from '../srpc/client.ts';
import type { EncodedImage, Hash } from '../store/types.ts';
import { addImageRequest, readImageReply } from '../wire/encoded-image.ts';
import { ImageIdentity as IdentityMessage } from '../wire/messages/extensions.ts';
import {
  AddImageResponse,
  GetImageRequest,
  GetImageResponse,
  ImageUpdate,
} from '../wire/messages/imageserver.ts';
import {
  AddObjectRequest,
  AddObjectResponse,
  CheckObjectsRequest,
  CheckObjectsResponse,
  GetObjectsRequest,
  GetObjectsResponse,
} from '../wire/messages/objectserver.ts';
import { ConnectionPool } from './connection-pool.ts';
import type {
  ImageIdentity,
  MasterConnection,
  MasterLink,
  MasterPort,
  MasterUpload,
  TakeObject,
} from './master-link.ts';
import { Watchdog } from './watchdog.ts';

export interface SrpcMasterOptions {
  readonly host: string;
  readonly port: number;
  /** Dials with the server's certificate; throws if the master cannot be reached or is not who it should be. */
  readonly connect: (signal?: AbortSignal) => Promise<SrpcClient>;
}

/** Small calls (headers, images) do not wait behind bulk transfers. */
const SMALL_CONNECTIONS = 3;
const BULK_CONNECTIONS = 3;
/** A call that moves no byte for this long is given up, milliseconds. */
const STALL_MS = 30_000;
/** While the stream is silent the master is asked whether it is alive this often, milliseconds. */
const ALIVE_MS = 15_000;
/** Objects up to this size are taken in one piece, bytes. */
const WHOLE = 256 * 1024;
const NO_HASH = '0'.repeat(128);

const lost = () => new ImageServerError('UNAVAILABLE', 'EOF');

/** One SRPC call that is closed when it stalls or `signal` is aborted. */
async function guarded<T>(
  client: SrpcClient,
  signal: AbortSignal | undefined,
  work: (watchdog: Watchdog) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const close = () => client.close();
  const watchdog = new Watchdog(STALL_MS, close);
  signal?.addEventListener('abort', close, { once: true });
  try {
    return await work(watchdog);
  } finally {
    watchdog.stop();
    signal?.removeEventListener('abort', close);
  }
}

async function must<T>(coming: T | undefined | Promise<T | undefined>): Promise<T> {
  const value = await coming;
  if (value === undefined) throw lost();
  return value;
}

class SrpcLink implements MasterLink {
  readonly #stream: SrpcClient;
  readonly #small: ConnectionPool;
  readonly #bulk: ConnectionPool;

  constructor(stream: SrpcClient, connect: () => Promise<SrpcClient>) {
    this.#stream = stream;
    this.#small = new ConnectionPool(connect, SMALL_CONNECTIONS);
    this.#bulk = new ConnectionPool(connect, BULK_CONNECTIONS);
  }

  close(): void {
    this.#stream.close();
    this.#small.close();
    this.#bulk.close();
  }

  async *updates(signal: AbortSignal): AsyncGenerator<ImageUpdate> {
    const close = () => this.#stream.close();
    signal.addEventListener('abort', close, { once: true });
    const alive = setInterval(() => {
      this.#ping().catch(close);
    }, ALIVE_MS);
    try {
      signal.throwIfAborted();
      const channel = await this.#stream.open('ImageServer.GetImageUpdates');
      await channel.flush();
      for (;;) {
        const update = await channel.receive(ImageUpdate);
        if (!update) return;
        yield update;
      }
    } finally {
      clearInterval(alive);
      signal.removeEventListener('abort', close);
      close();
    }
  }

  #ping(): Promise<void> {
    return this.#small.use((client) => guarded(client, undefined, () => client.ping()));
  }

  identities(signal: AbortSignal): Promise<Map<string, ImageIdentity> | undefined> {
    return this.#small.use((client) =>
      guarded(client, signal, async (watchdog) => {
        let channel: ClientChannel;
        try {
          channel = await client.open('ImageServer.ListImageIdentities');
        } catch (thrown) {
          // The original, or a certificate without this method.
          if (thrown instanceof RemoteError) return undefined;
          throw thrown;
        }
        const identities = new Map<string, ImageIdentity>();
        for (;;) {
          const { Name, Identity, CreatedOn, CreatedBy, ExpiresAt } = await must(
            channel.receive(IdentityMessage),
          );
          watchdog.progress();
          if (Name === '') break;
          identities.set(Name, {
            name: Name,
            createdOn: CreatedOn,
            createdBy: CreatedBy,
            expiresAt: ExpiresAt,
            ...(Identity === '' ? { unreadable: true } : {}),
          });
        }
        channel.end();
        return identities;
      }),
    );
  }

  async header(name: string, signal: AbortSignal) {
    const { Image } = await this.#small.use((client) =>
      guarded(client, signal, () =>
        client.call('ImageServer.GetImage', GetImageRequest, GetImageResponse, {
          ImageName: name,
          IgnoreFilesystem: true,
          IgnoreFilesystemIfExpiring: false,
          Timeout: 0n,
        }),
      ),
    );
    return Image ?? undefined;
  }

  image(name: string, treeOnlyIfPermanent: boolean, signal: AbortSignal): Promise<EncodedImage | undefined> {
    return this.#small.use((client) =>
      guarded(client, signal, async (watchdog) => {
        const channel = await client.open('ImageServer.GetImage');
        await channel.send(GetImageRequest, {
          ImageName: name,
          IgnoreFilesystem: false,
          IgnoreFilesystemIfExpiring: treeOnlyIfPermanent,
          Timeout: 0n,
        });
        await channel.flush();
        const error = await channel.readLine();
        if (error !== '') {
          channel.end();
          throw new RemoteError(error);
        }
        const image = await readImageReply({
          next: () => {
            watchdog.progress();
            return channel.messages.next();
          },
        });
        channel.end();
        return image ?? undefined;
      }),
    );
  }

  objects(hashes: readonly Hash[], take: TakeObject, signal: AbortSignal): Promise<readonly number[]> {
    return this.#bulk.use((client) =>
      guarded(client, signal, async (watchdog) => {
        const channel = await client.open('ObjectServer.GetObjects');
        await channel.send(GetObjectsRequest, { Exclusive: false, Hashes: [...hashes] });
        await channel.flush();
        const { ResponseString, ObjectSizes } = await must(channel.receive(GetObjectsResponse));
        if (ResponseString !== '') {
          channel.end();
          const missing = hashes.flatMap((_, index) => (ObjectSizes[index] ? [] : [index]));
          if (ObjectSizes.length !== hashes.length || missing.length === 0)
            throw new RemoteError(ResponseString);
          return missing;
        }
        if (ObjectSizes.length !== hashes.length)
          throw new ImageServerError(
            'CORRUPT',
            `${ObjectSizes.length} sizes came for ${hashes.length} objects`,
          );
        for (let index = 0; index < hashes.length; index++) {
          const length = Number(ObjectSizes[index]);
          watchdog.progress();
          if (length <= WHOLE) {
            const data = await channel.take(length);
            watchdog.stop();
            await take(index, length, data);
          } else {
            const run = new ByteRun(channel.bytes(length), watchdog);
            await take(index, length, run);
            await run.skip();
          }
        }
        channel.end();
        return [];
      }),
    );
  }
}

/** A run of bytes whose rest is skipped when the taker has had enough; waiting for the taker is no stall. */
class ByteRun implements AsyncIterable<Uint8Array> {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #watchdog: Watchdog;
  #finished = false;

  constructor(chunks: AsyncIterable<Uint8Array>, watchdog: Watchdog) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#watchdog = watchdog;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return { next: () => this.#next() };
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    this.#watchdog.progress();
    const result = await this.#chunks.next();
    if (result.done) this.#finished = true;
    this.#watchdog.stop();
    return result;
  }

  async skip(): Promise<void> {
    while (!this.#finished) await this.#next();
  }
}

class SrpcUpload implements MasterUpload {
  readonly #channel: ClientChannel;

  constructor(channel: ClientChannel) {
    this.#channel = channel;
  }

  begin(length: number, expected: Hash | undefined): void | Promise<void> {
    return this.#channel.send(AddObjectRequest, { Length: BigInt(length), ExpectedHash: expected ?? null });
  }
  write(chunk: Uint8Array): void | Promise<void> {
    return this.#channel.write(chunk);
  }
  async writeObject(object: Parameters<ClientChannel['sendFile']>[0]): Promise<void> {
    await this.#channel.sendFile(object);
  }
  async end(): Promise<void> {
    await this.#channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: NO_HASH });
    await this.#channel.flush();
  }
  async answer() {
    const { ErrorString, Hash, Added } = await must(this.#channel.receive(AddObjectResponse));
    return { error: ErrorString, hash: Hash, added: Added };
  }
  done(): void {
    this.#channel.end();
  }
}

class SrpcConnection implements MasterConnection {
  readonly #client: SrpcClient;
  #upload: SrpcUpload | undefined;

  constructor(client: SrpcClient) {
    this.#client = client;
  }

  async addImage(name: string, image: EncodedImage): Promise<void> {
    const channel = await this.#client.open('ImageServer.AddImageTrusted');
    for (const chunk of addImageRequest(name, image.bytes)) await channel.write(chunk);
    await channel.flush();
    const error = await channel.readLine();
    if (error !== '') throw new RemoteError(error);
    await must(channel.receive(AddImageResponse));
    channel.end();
  }

  async upload(): Promise<MasterUpload> {
    this.#upload?.done();
    this.#upload = undefined;
    this.#upload = new SrpcUpload(await this.#client.open('ObjectServer.AddObjects'));
    return this.#upload;
  }

  async checkObjects(hashes: readonly Hash[]): Promise<number[]> {
    // All answers of the upload before have been read.
    this.#upload?.done();
    this.#upload = undefined;
    const { ObjectSizes } = await this.#client.call(
      'ObjectServer.CheckObjects',
      CheckObjectsRequest,
      CheckObjectsResponse,
      { Hashes: [...hashes] },
    );
    return ObjectSizes.map(Number);
  }

  close(): void {
    this.#client.close();
  }
}

export function createSrpcMaster({ host, port, connect }: SrpcMasterOptions): MasterPort {
  return {
    address: `${host}:${port}`,
    async open(signal) {
      return new SrpcLink(await connect(signal), () => connect(signal));
    },
    async dial(signal) {
      return new SrpcConnection(await connect(signal));
    },
    clockSkew: (signal) => clockSkewOf(`http://${host}:${port}/healthz`, signal),
  };
}

/** From the Date header, which has whole seconds: the middle of that second against the middle of the exchange. */
async function clockSkewOf(url: string, signal: AbortSignal) {
  const sent = Date.now();
  const reply = await fetch(url, {
    method: 'HEAD',
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]),
  });
  const received = Date.now();
  const date = Date.parse(reply.headers.get('date') ?? '');
  if (Number.isNaN(date)) return undefined;
  const halfTrip = (received - sent) / 2;
  return { skewMs: Math.round(date + 500 - (sent + halfTrip)), uncertaintyMs: Math.ceil(500 + halfTrip) };
}
