/** An archive as an image's file-system; nothing is unpacked to disk but what is too big to keep and cannot be read again. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PathFilter } from '../image/filter.ts';
import { TarTree } from '../image/tar-tree.ts';
import { makeSha512 } from '../sha512.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import type { ByteStream } from './byte-stream.ts';
import type { Context } from './command.ts';
import { type Content, hashBytes, rangeContent } from './content.ts';
import { tarEntries } from './tar-entries.ts';
import { openTarSource, type TarSource } from './tar-source.ts';
import type { Uploader } from './upload.ts';

/** Contents up to this size are kept in memory until they are sent, if they cannot be read again. */
const KEPT = 8 * 1024 * 1024;

/** Scans an archive (`-` is stdin); what the server lacks of its contents goes to `uploader`. */
export async function scanTar(
  context: Context,
  path: string,
  options: { filter?: PathFilter | undefined; uploader?: Uploader },
): Promise<FileSystem> {
  const source = await openTarSource(path, context.io.stdin);
  const task = context.progress.start('scanning', source.size);
  let shown = 0;
  try {
    const tree = new TarTree(options.filter);
    for await (const member of tarEntries(source.stream)) {
      const at = tree.pathOf(member);
      if (at === undefined) continue;
      let hash: string | undefined;
      if (tree.hasContents(member)) hash = await takeContent(context, source, member.size, options.uploader);
      tree.add(at, member, hash);
      task.add(source.progress() - shown);
      shown = source.progress();
    }
    return tree.finish();
  } finally {
    task.end();
    source.close();
  }
}

async function takeContent(
  context: Context,
  source: TarSource,
  size: number,
  uploader: Uploader | undefined,
): Promise<string> {
  const { stream, file } = source;
  if (file) {
    const offset = stream.position;
    const hash = await hashNext(stream, size);
    await uploader?.add(rangeContent(file.fd, file.path, offset, size, hash));
    return hash;
  }
  if (size <= KEPT) {
    const bytes = await stream.upTo(size);
    if (bytes.length < size) await stream.skip(1);
    const content: Content = { hash: await hashBytes(bytes as Buffer<ArrayBuffer>), size, bytes };
    await uploader?.add(content);
    return content.hash;
  }
  return spoolContent(context, stream, size, uploader);
}

async function hashNext(
  stream: ByteStream,
  size: number,
  sink?: (piece: Uint8Array) => void,
): Promise<string> {
  const hasher = makeSha512();
  for await (const piece of stream.bytes(size)) {
    hasher.update(piece);
    sink?.(piece);
  }
  return hasher.digest().toString('hex');
}

/** A big content of a pipe goes through a file, so that it is only sent if the server lacks it. */
async function spoolContent(
  context: Context,
  stream: ByteStream,
  size: number,
  uploader: Uploader | undefined,
): Promise<string> {
  if (!uploader) return hashNext(stream, size);
  const directory = mkdtempSync(join(tmpdir(), 'imagetool-'));
  const remove = context.cleanUp(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'object');
  const fd = openSync(file, 'wx+', 0o600);
  try {
    const hash = await hashNext(stream, size, (piece) => {
      for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at);
    });
    await uploader.add(rangeContent(fd, file, 0, size, hash));
    await uploader.flush();
    return hash;
  } finally {
    closeSync(fd);
    remove();
  }
}
