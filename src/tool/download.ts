/** Downloads of objects: many in one call, each verified against its hash. */
import { ImageServerError } from '../errors.ts';
import type { ClientChannel, SrpcClient } from '../srpc/client.ts';
import { GetObjectsRequest, GetObjectsResponse } from '../wire/messages/objectserver.ts';
import type { Progress } from './progress.ts';

/** Limits of one call. */
const CALL_OBJECTS = 4000;
const CALL_BYTES = 256 * 1024 * 1024;
/** Objects up to this size are taken whole. */
const SMALL = 128 * 1024;

export interface WantedObject {
  readonly hash: string;
  /** Bytes. */
  readonly size: number;
}

/** Where an object goes; `write` gets its bytes in order, `done` is called when they are complete and verified. */
export interface ObjectSink {
  /** The bytes are only valid until it is done. */
  write(bytes: Uint8Array): void | Promise<void>;
  done(): void | Promise<void>;
  /** Called instead of `done`. */
  failed?(): void;
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
      await fetchBatch(client, batch, async (channel, object, index) => {
        await receive(channel, object, sinkFor(object, first + index), (length) => task?.add(length));
      });
    }
  } finally {
    task?.end();
  }
}

async function fetchBatch(
  client: SrpcClient,
  batch: readonly WantedObject[],
  take: (channel: ClientChannel, object: WantedObject, index: number) => Promise<void>,
): Promise<void> {
  const channel = await client.open('ObjectServer.GetObjects');
  await channel.send(GetObjectsRequest, { Exclusive: false, Hashes: batch.map((one) => one.hash) });
  await channel.flush();
  const reply = await channel.receive(GetObjectsResponse);
  if (!reply) throw new ImageServerError('UNAVAILABLE', 'EOF');
  if (reply.ResponseString) throw new ImageServerError('OBJECT_NOT_FOUND', reply.ResponseString);
  try {
    for (const [index, object] of batch.entries()) {
      if (reply.ObjectSizes[index] !== BigInt(object.size)) throw corrupt(object.hash, 'mismatched lengths');
      await take(channel, object, index);
    }
  } catch (error) {
    // What is still under way would be taken for answers to the next call.
    client.close();
    throw error;
  }
  channel.end();
}

async function receive(
  channel: ClientChannel,
  { hash, size }: WantedObject,
  sink: ObjectSink,
  onBytes: (length: number) => void,
): Promise<void> {
  try {
    if (size <= SMALL) {
      const bytes = await channel.take(size);
      if (Bun.CryptoHasher.hash('sha512', bytes, 'hex') !== hash)
        throw corrupt(hash, 'came with other contents');
      const writing = sink.write(bytes);
      if (writing) await writing;
      onBytes(size);
    } else {
      const hasher = new Bun.CryptoHasher('sha512');
      for await (const piece of channel.bytes(size)) {
        hasher.update(piece);
        const writing = sink.write(piece);
        if (writing) await writing;
        onBytes(piece.length);
      }
      if (hasher.digest('hex') !== hash) throw corrupt(hash, 'came with other contents');
    }
    const finishing = sink.done();
    if (finishing) await finishing;
  } catch (error) {
    sink.failed?.();
    throw error;
  }
}
