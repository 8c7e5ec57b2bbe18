/** The bytes of objects in chunks, for answers that are put together from several. */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { ImageServerError } from '../../errors.ts';
import type { ObjectReader } from '../../store/types.ts';

const CHUNK = 256 * 1024;
const readAt = promisify(read);

/** The bytes of an open object in chunks of at most 256 KiB. Throws CORRUPT if there are fewer than recorded. */
export async function* objectChunks(object: ObjectReader): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < object.size; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK, object.size - at));
    const { bytesRead } = await readAt(object.fd, chunk, 0, chunk.length, at);
    if (bytesRead === 0)
      throw new ImageServerError('CORRUPT', `object is shorter than recorded: ${object.hash}`);
    yield chunk.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** The whole contents of an open object; for those whose size has been looked at. */
export async function readObject(object: ObjectReader): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of objectChunks(object)) chunks.push(chunk);
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
}

/** The first bytes of an open object, at most `limit`. */
export async function readStart(object: ObjectReader, limit: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(Math.min(limit, object.size));
  const { bytesRead } = await readAt(object.fd, bytes, 0, bytes.length, 0);
  return bytes.subarray(0, bytesRead);
}

/** Gathers small chunks into larger ones. */
export async function* gather(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    waiting.push(chunk);
    length += chunk.length;
    if (length < CHUNK) continue;
    yield waiting.length === 1 ? chunk : Buffer.concat(waiting, length);
    waiting = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(waiting, length);
}

/** A body made of chunks, at the pace of its reader. An error breaks the connection off. */
export function chunkStream(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
