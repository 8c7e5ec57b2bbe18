/** Writes an image as a tar archive. */
import { readFileSync, statSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { S_IFBLK, S_IFCHR, S_IFMT } from '../image/mode.ts';
import { walkTree } from '../image/tree.ts';
import type { SrpcClient } from '../srpc/client.ts';
import type { FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
import { encodeText } from '../wire/text.ts';
import { downloadObjects } from './objects.ts';
import { BLOCK, formatHeader, padding, type TarMember } from './tar-format.ts';

type Sink = (bytes: Uint8Array) => void | Promise<void>;

const NONE = Buffer.alloc(0);

function memberOf(name: Buffer, inode: GenericInode, link: Buffer | undefined): TarMember {
  const member: TarMember = {
    name,
    type: '0',
    mode: 'Mode' in inode ? inode.Mode : 0o777,
    uid: inode.Uid,
    gid: inode.Gid,
    size: 0,
    seconds: 0n,
    nanoseconds: 0,
    link: NONE,
    major: 0,
    minor: 0,
  };
  if (link) return { ...member, type: '1', link };
  switch (inode.Kind) {
    case 'directory':
      return { ...member, type: '5' };
    case 'symlink':
      return { ...member, type: '2', link: Buffer.from(encodeText(inode.Symlink)) };
    case 'computed':
      return member;
    case 'regular':
      return {
        ...member,
        size: Number(inode.Size),
        seconds: inode.MtimeSeconds,
        nanoseconds: inode.MtimeNanoSeconds,
      };
    case 'special': {
      const kind = inode.Mode & S_IFMT;
      const { Rdev } = inode;
      return {
        ...member,
        type: kind === S_IFCHR ? '3' : kind === S_IFBLK ? '4' : '6',
        seconds: inode.MtimeSeconds,
        nanoseconds: inode.MtimeNanoSeconds,
        major: Number(((Rdev >> 8n) & 0xfffn) | ((Rdev >> 32n) & ~0xfffn)),
        minor: Number((Rdev & 0xffn) | ((Rdev >> 12n) & ~0xffn)),
      };
    }
  }
}

/** Streams the archive: names `./…`, later hard links as link members, objects verified on the way. */
export async function writeTar(
  client: SrpcClient,
  tree: FileSystem,
  computedFilesRoot: string,
  sink: Sink,
): Promise<void> {
  const placed = new Map<bigint, Buffer>();
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
  for (const { path, inodeNumber, inode } of walkTree(tree)) {
    const name = Buffer.from(
      encodeText(path === '/' ? './' : `.${path}${inode.Kind === 'directory' ? '/' : ''}`),
    );
    const first = inode.Kind === 'directory' ? undefined : placed.get(inodeNumber);
    if (!first) placed.set(inodeNumber, name);
    let member = memberOf(name, inode, first);
    if (inode.Kind === 'computed' && !first && computedFilesRoot) {
      const file = `${computedFilesRoot}${path}`;
      if (!statSync(file, { throwIfNoEntry: false }))
        throw new ImageServerError('FILE_NOT_FOUND', `missing computed file: ${path}`);
      const data = readFileSync(file);
      member = { ...member, size: data.length };
      await put(Buffer.concat([formatHeader(member), data, padding(data.length)]));
    } else if (inode.Kind === 'regular' && !first) await put(formatHeader(member), inode.Hash, member.size);
    else await put(formatHeader(member));
  }
  await flush();
  await sink(Buffer.alloc(2 * BLOCK));
}
