/** Writes an image as a tar archive. */
import { readFileSync, statSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { BLOCK, formatHeader, padding } from '../image/tar-format.ts';
import { HARD_LINK, tarMembers } from '../image/tar-members.ts';
import type { SrpcClient } from '../srpc/client.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import { downloadObjects } from './objects.ts';

type Sink = (bytes: Uint8Array) => void | Promise<void>;

/** Streams the archive: names `./…`, later hard links as link members, objects verified on the way. */
export async function writeTar(
  client: SrpcClient,
  tree: FileSystem,
  computedFilesRoot: string,
  sink: Sink,
): Promise<void> {
  // Members wait for the contents of the file before them, so that one request fetches many objects in order.
  let waiting: { header: Buffer; hash: string; size: number }[] = [];
  let waitingBytes = 0;
  const flush = async () => {
    const batch = waiting;
    waiting = [];
    waitingBytes = 0;
    const objects = batch.filter((one) => one.size > 0);
    let next = 0;
    const headersUntilContent = async () => {
      while (next < batch.length) {
        const one = batch[next++] as (typeof batch)[number];
        await sink(one.header);
        if (one.size > 0) return one;
      }
      return undefined;
    };
    let current = await headersUntilContent();
    if (!current) return;
    await downloadObjects(client, objects, () => ({
      write: (bytes) => sink(bytes.slice()),
      done: async () => {
        await sink(padding(current?.size ?? 0));
        current = await headersUntilContent();
      },
    }));
  };
  const put = async (header: Buffer, hash = '', size = 0) => {
    waiting.push({ header, hash, size });
    waitingBytes += size;
    if (waiting.length >= 1000 || waitingBytes >= 256 * 1024 * 1024) await flush();
  };
  for (const { path, inode, member } of tarMembers(tree)) {
    const isFirst = member.type !== HARD_LINK;
    if (inode.Kind === 'computed' && isFirst && computedFilesRoot) {
      const file = `${computedFilesRoot}${path}`;
      if (!statSync(file, { throwIfNoEntry: false }))
        throw new ImageServerError('FILE_NOT_FOUND', `missing computed file: ${path}`);
      const data = readFileSync(file);
      await put(Buffer.concat([formatHeader({ ...member, size: data.length }), data, padding(data.length)]));
    } else if (inode.Kind === 'regular' && isFirst) await put(formatHeader(member), inode.Hash, member.size);
    else await put(formatHeader(member));
  }
  await flush();
  await sink(Buffer.alloc(2 * BLOCK));
}
