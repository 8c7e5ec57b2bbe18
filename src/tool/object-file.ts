/** An object of the server as a file. */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { CheckObjectsRequest, CheckObjectsResponse } from '../wire/messages/objectserver.ts';
import type { Context } from './command.ts';
import { downloadObjects } from './download.ts';

/** Bytes of objects; 0 for those that the server does not have. */
export async function objectSizes(context: Context, hashes: readonly string[]): Promise<number[]> {
  const client = await context.client();
  const reply = await client.call('ObjectServer.CheckObjects', CheckObjectsRequest, CheckObjectsResponse, {
    Hashes: [...hashes],
  });
  return hashes.map((_, index) => Number(reply.ObjectSizes[index] ?? 0n));
}

/** Writes an object to a file, which appears when it is complete, or to stdout; size if it is known. */
export async function writeObject(
  context: Context,
  hash: string,
  file: string,
  { size, mode = 0o644 }: { size?: number; mode?: number } = {},
): Promise<void> {
  const [length = 0] = size === undefined ? await objectSizes(context, [hash]) : [size];
  if (length === 0) throw new ImageServerError('OBJECT_NOT_FOUND', `unknown object: ${hash}`);
  const client = await context.client();
  if (file === '') {
    await downloadObjects(client, [{ hash, size: length }], () => ({
      write: (bytes) => context.out(Buffer.from(bytes)),
      done: () => undefined,
    }));
    return;
  }
  const temporary = `${file}~`;
  const fd = openSync(temporary, 'w', mode);
  const remove = context.cleanUp(() => rmSync(temporary, { force: true }));
  try {
    await downloadObjects(
      client,
      [{ hash, size: length }],
      () => ({
        write(bytes) {
          for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
        },
        done: () => renameSync(temporary, file),
      }),
      context.progress,
    );
  } finally {
    closeSync(fd);
    remove();
  }
}
