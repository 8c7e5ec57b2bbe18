/** An archive as an image's file-system; nothing is unpacked to disk but what is too big to keep and cannot be read again. */
import type { PathFilter } from '../image/filter.ts';
import { TarTree } from '../image/tar-tree.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import type { Context } from './command.ts';
import { type Content, hashBytes, rangeContent } from './content.ts';
import { hashPieces, spoolContent } from './spool.ts';
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
    const hash = await hashPieces(stream.bytes(size));
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
  const pieces = stream.bytes(size);
  if (!uploader) return hashPieces(pieces);
  return spoolContent(context, pieces, size, async (content) => {
    await uploader.add(content);
    await uploader.flush();
  });
}
