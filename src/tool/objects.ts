/** Objects between this machine and the server: uploads and verified downloads. */
import { closeSync, openSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import type { SrpcClient } from '../srpc/client.ts';
import {
  AddObjectRequest,
  AddObjectResponse,
  CheckObjectsRequest,
  CheckObjectsResponse,
  GetObjectsRequest,
  GetObjectsResponse,
} from '../wire/messages/objectserver.ts';
import { type Content, hashRange } from './content.ts';
import { Progress } from './progress.ts';

/** Hashes asked about in one call. */
const CHECK_BATCH = 10_000;
/** Objects and bytes fetched in one call. */
const GET_OBJECTS = 1000;
const GET_BYTES = 256 * 1024 * 1024;

/** Which of these the server does not have. */
export async function missingObjects(client: SrpcClient, hashes: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (let at = 0; at < hashes.length; at += CHECK_BATCH) {
    const batch = hashes.slice(at, at + CHECK_BATCH);
    const { ObjectSizes } = await client.call(
      'ObjectServer.CheckObjects',
      CheckObjectsRequest,
      CheckObjectsResponse,
      { Hashes: batch },
    );
    batch.forEach((hash, index) => {
      if (!ObjectSizes[index]) missing.push(hash);
    });
  }
  return missing;
}

/** Uploads what the server lacks. Everything is sent while the answers are read, so that many are under way. */
export async function uploadObjects(
  client: SrpcClient,
  contents: ReadonlyMap<string, Content>,
): Promise<void> {
  if (contents.size === 0) return;
  const missing = await missingObjects(client, [...contents.keys()]);
  if (missing.length === 0) return;
  const wanted = missing.map((hash) => contents.get(hash) as Content);
  const progress = new Progress(
    'uploading',
    wanted.reduce((sum, one) => sum + one.size, 0),
  );
  const channel = await client.open('ObjectServer.AddObjects');
  const answers = (async () => {
    for (const { hash } of wanted) {
      const answer = await channel.receive(AddObjectResponse);
      if (!answer) throw new ImageServerError('UNAVAILABLE', 'EOF');
      if (answer.ErrorString) throw new ImageServerError('INVALID_REQUEST', answer.ErrorString);
      if (answer.Hash !== hash)
        throw new ImageServerError('HASH_MISMATCH', `server computed another hash: ${answer.Hash}`);
    }
  })();
  let failed = false;
  answers.catch(() => {
    failed = true;
    client.close();
  });
  try {
    for (const { file, offset, size, hash } of wanted) {
      if (failed) break;
      await channel.send(AddObjectRequest, { Length: BigInt(size), ExpectedHash: hash });
      await sendRange(channel, file, offset, size, progress);
    }
    await channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: null });
    await channel.flush();
  } catch (error) {
    // The server's own word explains more than a broken connection.
    await answers;
    throw error;
  } finally {
    progress.end();
  }
  await answers;
  channel.end();
}

async function sendRange(
  channel: Awaited<ReturnType<SrpcClient['open']>>,
  file: string | Buffer,
  offset: number,
  size: number,
  progress: Progress,
): Promise<void> {
  const fd = openSync(file, 'r');
  try {
    await channel.sendFile({ fd, size }, offset);
    progress.add(size);
  } finally {
    closeSync(fd);
  }
}

/** Where a downloaded object goes; `write` gets its bytes in order, `done` when they are complete and verified. */
export interface ObjectSink {
  write(bytes: Uint8Array): void | Promise<void>;
  done(): void | Promise<void>;
}

/** Fetches objects in order; each is verified against its hash before `done`. */
export async function downloadObjects(
  client: SrpcClient,
  objects: readonly { readonly hash: string; readonly size: number }[],
  sink: (hash: string) => ObjectSink,
): Promise<void> {
  const progress = new Progress(
    'downloading',
    objects.reduce((sum, one) => sum + one.size, 0),
  );
  for (let at = 0; at < objects.length; ) {
    const batch: { hash: string; size: number }[] = [];
    let bytes = 0;
    while (at < objects.length && batch.length < GET_OBJECTS && (batch.length === 0 || bytes < GET_BYTES)) {
      const next = objects[at++] as { hash: string; size: number };
      batch.push(next);
      bytes += next.size;
    }
    const channel = await client.open('ObjectServer.GetObjects');
    await channel.send(GetObjectsRequest, { Exclusive: false, Hashes: batch.map((one) => one.hash) });
    await channel.flush();
    const reply = await channel.receive(GetObjectsResponse);
    if (!reply) throw new ImageServerError('UNAVAILABLE', 'EOF');
    if (reply.ResponseString) throw new ImageServerError('OBJECT_NOT_FOUND', reply.ResponseString);
    for (let index = 0; index < batch.length; index++) {
      const { hash, size } = batch[index] as { hash: string; size: number };
      if (Number(reply.ObjectSizes[index]) !== size)
        throw new ImageServerError('CORRUPT', 'mismatched lengths');
      const hasher = new Bun.CryptoHasher('sha512');
      const target = sink(hash);
      for await (const piece of channel.bytes(size)) {
        hasher.update(piece);
        await target.write(piece);
        progress.add(piece.length);
      }
      if (hasher.digest('hex') !== hash)
        throw new ImageServerError('CORRUPT', `object ${hash} came with other contents`);
      await target.done();
    }
    channel.end();
  }
  progress.end();
}

/** Uploads one local file as an object and returns its hash. */
export async function uploadFile(client: SrpcClient, file: string): Promise<string> {
  const fd = openSync(file, 'r');
  let content: Content;
  try {
    const { size } = Bun.file(file);
    if (size === 0) throw new ImageServerError('INVALID_REQUEST', 'zero length object cannot be added');
    content = { file, offset: 0, size, hash: hashRange(fd, 0, size) };
  } finally {
    closeSync(fd);
  }
  await uploadObjects(client, new Map([[content.hash, content]]));
  return content.hash;
}
