/** Downloads of objects: many in one call, each verified against its hash. */
import { ImageServerError } from '../errors.ts';
import { sha512Hex } from '../sha512.ts';
import type { ClientChannel, SrpcClient } from '../srpc/client.ts';
import { SLICE, streamHash } from '../store/stream-hash.ts';
import { GetObjectsRequest, GetObjectsResponse } from '../wire/messages/objectserver.ts';
import type { Progress } from './progress.ts';

/** Limits of one call. */
const CALL_OBJECTS = 4000;
const CALL_BYTES = 256 * 1024 * 1024;
/** Objects up to this size are hashed at once; handing them to another thread would take longer. */
const SMALL = 64 * 1024;
/** Objects up to this size are taken whole and hashed by other threads. */
const MEDIUM = 8 * 1024 * 1024;
/** Bytes that may be hashed at a time. */
const ASIDE = 16 * 1024 * 1024;

export interface WantedObject {
  readonly hash: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * Where an object goes; `write` gets its bytes in order, `done` is called when they are complete and verified. A small
 * object's is made when the object is here.
 */
export interface ObjectSink {
  /** The bytes are only valid until it is done. */
  write(bytes: Uint8Array): void | Promise<void>;
  done(): void | Promise<void>;
  /** Called instead of `done`. */
  failed?(): void;
  /** `done` may be called before the object is verified: nobody uses it before all objects are fetched. */
  readonly early?: true;
}

/** Hashes that other threads are computing. */
class Checks {
  #bytes = 0;
  #failure: unknown;
  #over = Promise.withResolvers<void>();

  add(check: Promise<void>, size: number): void {
    this.#bytes += size;
    check
      .catch((error) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#bytes -= size;
        this.#over.resolve();
        this.#over = Promise.withResolvers<void>();
      });
  }

  /** Resolves when at most so many bytes are left. Throws what was found wrong so far. */
  async settle(left: number): Promise<void> {
    while (this.#bytes > left && this.#failure === undefined) await this.#over.promise;
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function corrupt(hash: string, what: string): ImageServerError {
  return new ImageServerError('CORRUPT', `object ${hash}: ${what}`);
}

/** Fetches objects in order. Throws CORRUPT for an object that is not what its name says, OBJECT_NOT_FOUND. */
export async function downloadObjects(
  client: SrpcClient,
  objects: readonly WantedObject[],
  sinkFor: (object: WantedObject, index: number) => ObjectSink,
  progress?: Progress,
): Promise<void> {
  const task = progress?.start(
    'downloading',
    objects.reduce((sum, one) => sum + one.size, 0),
  );
  const checks = new Checks();
  try {
    for (let at = 0; at < objects.length; ) {
      const batch: WantedObject[] = [];
      const first = at;
      let bytes = 0;
      while (
        at < objects.length &&
        batch.length < CALL_OBJECTS &&
        (batch.length === 0 || bytes < CALL_BYTES)
      ) {
        const next = objects[at++] as WantedObject;
        batch.push(next);
        bytes += next.size;
      }
      await fetchBatch(client, batch, (channel, object, index) =>
        receive(
          channel,
          object,
          () => sinkFor(object, first + index),
          (length) => task?.add(length),
          checks,
        ),
      );
    }
    await checks.settle(0);
  } finally {
    task?.end();
  }
}

async function fetchBatch(
  client: SrpcClient,
  batch: readonly WantedObject[],
  take: (channel: ClientChannel, object: WantedObject, index: number) => void | Promise<void>,
): Promise<void> {
  const channel = await client.open('ObjectServer.GetObjects');
  await channel.send(GetObjectsRequest, { Exclusive: false, Hashes: batch.map((one) => one.hash) });
  await channel.flush();
  const reply = await channel.receive(GetObjectsResponse);
  if (!reply) throw new ImageServerError('UNAVAILABLE', 'EOF');
  if (reply.ResponseString) throw new ImageServerError('OBJECT_NOT_FOUND', reply.ResponseString);
  try {
    for (const [index, object] of batch.entries()) {
      if (Number(reply.ObjectSizes[index]) !== object.size) throw corrupt(object.hash, 'mismatched lengths');
      const taking = take(channel, object, index);
      if (taking) await taking;
    }
  } catch (error) {
    // What is still under way would be taken for answers to the next call.
    client.close();
    throw error;
  }
  channel.end();
}

/** A small object is handed over when it is here and verified, without a wait if it has come already. */
function receive(
  channel: ClientChannel,
  object: WantedObject,
  sinkFor: () => ObjectSink,
  onBytes: (length: number) => void,
  checks: Checks,
): void | Promise<void> {
  const { hash, size } = object;
  if (size > SMALL && size <= MEDIUM) return receiveMedium(channel, object, sinkFor, onBytes, checks);
  if (size > MEDIUM) return receiveBig(channel, object, sinkFor(), onBytes);
  const hand = (bytes: Uint8Array): void | Promise<void> => {
    if (sha512Hex(bytes) !== hash) throw corrupt(hash, 'came with other contents');
    onBytes(size);
    return handOver(bytes, sinkFor());
  };
  const bytes = channel.take(size);
  return bytes instanceof Promise ? bytes.then(hand) : hand(bytes);
}

function handOver(bytes: Uint8Array, sink: ObjectSink): void | Promise<void> {
  const failed = (error: unknown): never => {
    sink.failed?.();
    throw error;
  };
  try {
    const writing = sink.write(bytes);
    const finishing = writing ? writing.then(() => sink.done()) : sink.done();
    return finishing?.catch(failed);
  } catch (error) {
    return failed(error);
  }
}

/** Hashed by another thread while it is written and, if its sink allows that, while more is received. */
async function receiveMedium(
  channel: ClientChannel,
  { hash, size }: WantedObject,
  sinkFor: () => ObjectSink,
  onBytes: (length: number) => void,
  checks: Checks,
): Promise<void> {
  const bytes = await channel.take(size);
  onBytes(size);
  const check = crypto.subtle.digest('SHA-512', bytes as Uint8Array<ArrayBuffer>).then((digest) => {
    if (Buffer.from(digest).toString('hex') !== hash) throw corrupt(hash, 'came with other contents');
  });
  const sink = sinkFor();
  try {
    checks.add(check, size);
    await sink.write(bytes);
    await (sink.early ? checks.settle(ASIDE) : check);
    await sink.done();
  } catch (error) {
    sink.failed?.();
    throw error;
  }
}

/** Hashed on another thread, if it is big enough for that, while more is received and written. */
async function receiveBig(
  channel: ClientChannel,
  { hash, size }: WantedObject,
  sink: ObjectSink,
  onBytes: (length: number) => void,
): Promise<void> {
  const hasher = streamHash(size);
  try {
    for await (const piece of channel.bytes(size)) {
      for (let at = 0; at < piece.length; at += SLICE) {
        const hashing = hasher.update(piece.subarray(at, at + SLICE));
        if (hashing) await hashing;
      }
      const writing = sink.write(piece);
      if (writing) await writing;
      onBytes(piece.length);
    }
    if ((await hasher.digest()) !== hash) throw corrupt(hash, 'came with other contents');
    await sink.done();
  } catch (error) {
    hasher.abandon();
    sink.failed?.();
    throw error;
  }
}
