/** An image's tree as a tar archive, put together while it is sent. */
import { ImageServerError } from '../../errors.ts';
import { BLOCK, formatHeader, padding } from '../../image/tar-format.ts';
import { HARD_LINK, tarMembers } from '../../image/tar-members.ts';
import type { Services } from '../../methods/services.ts';
import type { ImageEntry, ImageTree, ObjectStore } from '../../store/types.ts';
import type { Tree } from '../../wire/messages/filesystem.ts';
import { chunkStream, gather, objectChunks } from '../objects/object-chunks.ts';
import { stateOf } from '../request-state.ts';
import { others, SLICE_MS } from '../text-stream.ts';
import { attachment } from './file-type.ts';
import { checkConditions, TAR_TYPE } from './read-image.ts';

async function* archive(source: ImageTree, tree: Tree, objects: ObjectStore): AsyncGenerator<Uint8Array> {
  const members = tarMembers(tree);
  for (;;) {
    // The reader, or an object, may have been waited for.
    const loading = source.use();
    if (loading) await loading;
    const { value, done } = members.next();
    if (done) break;
    const { inode, member } = value;
    yield formatHeader(member);
    if (inode.Kind !== 'regular' || member.type === HARD_LINK || member.size === 0) continue;
    const object = objects.open(inode.Hash);
    try {
      if (object.size !== member.size)
        throw new ImageServerError('CORRUPT', `object has another length than the image says: ${inode.Hash}`);
      yield* objectChunks(object);
    } finally {
      object.close();
    }
    yield padding(member.size);
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** Throws OBJECT_NOT_FOUND while that can still be told. In slices. */
async function checkObjects(source: ImageTree, tree: Tree, objects: ObjectStore): Promise<void> {
  let until = performance.now() + SLICE_MS;
  for (const inode of tree.InodeTable?.values() ?? []) {
    if (inode?.Kind === 'regular' && inode.Size > 0n && objects.size(inode.Hash) === 0)
      throw new ImageServerError('OBJECT_NOT_FOUND', `object of the image is missing: ${inode.Hash}`);
    if (performance.now() < until) continue;
    await others();
    await source.use();
    until = performance.now() + SLICE_MS;
  }
}

/** Answers GET /images/{name}.tar and .tar.gz. */
export async function imageArchive(
  request: Request,
  services: Services,
  entry: ImageEntry,
  compressed: boolean,
): Promise<Response> {
  const suffix = compressed ? '.tar.gz' : '.tar';
  const etag = `"${entry.identity}${suffix}"`;
  const headers: Record<string, string> = {
    // Weak if compressed: another compressor may make other bytes of it.
    etag: compressed ? `W/${etag}` : etag,
    'cache-control': 'private, no-cache',
    'content-type': compressed ? 'application/gzip' : TAR_TYPE,
    'content-disposition': attachment(`${entry.name.replaceAll('/', '_')}${suffix}`),
    vary: 'accept',
  };
  const unchanged = checkConditions(request, etag, headers);
  if (unchanged) return unchanged;
  const tree = await services.images.tree(entry.name, request.signal);
  const { FileSystem } = tree.image;
  if (!FileSystem) throw new ImageServerError('FILE_NOT_FOUND', 'the image has no tree');
  await checkObjects(tree, FileSystem, services.objects);
  if (stateOf(request).head) return new Response(null, { headers });
  const body = chunkStream(gather(archive(tree, FileSystem, services.objects)));
  return new Response(compressed ? body.pipeThrough(new CompressionStream('gzip') as never) : body, {
    headers,
  });
}
