/** An image's tree as a tar archive, put together while it is sent. */
import { ImageServerError } from '../../errors.ts';
import { encodedLinkCounts } from '../../image/encoded-entries.ts';
import {
  BLOCK,
  headerLength,
  paddingLength,
  paxRecords,
  type TarMember,
  writeHeader,
} from '../../image/tar-format.ts';
import { HARD_LINK, tarMembers } from '../../image/tar-members.ts';
import type { Services } from '../../methods/services.ts';
import type { ImageEntry, ImageTree, ObjectStore } from '../../store/types.ts';
import type { Tree } from '../../wire/messages/filesystem.ts';
import { archiveGrew, workedOnAnswer } from '../garbage.ts';
import { chunkStream, objectChunks } from '../objects/object-chunks.ts';
import { stateOf } from '../request-state.ts';
import { others, SLICE_MS } from '../text-stream.ts';
import { attachment } from './file-type.ts';
import { checkConditions, TAR_TYPE } from './read-image.ts';

/** Size of the chunks that headers and small files are put into. */
const CHUNK = 128 * 1024;
/** Files up to this size are read at once into the chunk. */
const SMALL_FILE = 32 * 1024;

/** Headers and small files put together: what is given out is not touched again. */
class Chunks {
  #chunk = Buffer.allocUnsafeSlow(CHUNK);
  #used = 0;

  /** Whether so many bytes and one more still fit. */
  fits(length: number): boolean {
    return this.#used + length < this.#chunk.length;
  }
  header(member: TarMember, pax: string): void {
    const end = this.#used + headerLength(pax);
    writeHeader(this.#chunk.subarray(this.#used, end), member, pax);
    this.#used = end;
  }
  /** `fill` puts so many bytes at a place of the chunk; zeros up to the next block follow. */
  contents(size: number, fill: (into: Buffer, at: number) => void): void {
    fill(this.#chunk, this.#used);
    this.#used += size;
    this.zeros(paddingLength(size));
  }
  zeros(length: number): void {
    this.#chunk.fill(0, this.#used, this.#used + length);
    this.#used += length;
  }
  /** What is there; the next one has room for so many bytes. */
  take(room = 0): Buffer {
    const full = this.#chunk.subarray(0, this.#used);
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK, room + 1));
    this.#used = 0;
    return full;
  }
}

async function* archive(source: ImageTree, tree: Tree, objects: ObjectStore): AsyncGenerator<Uint8Array> {
  const { inodes } = source;
  const links = inodes && encodedLinkCounts(inodes, tree.DirectoryInode);
  const members = tarMembers(tree, (number) => (links?.[inodes?.places.find(number) ?? -1] ?? 0) > 1);
  const chunks = new Chunks();
  for (;;) {
    // The reader, or an object, may have been waited for.
    const loading = source.use();
    if (loading) await loading;
    const { value, done } = members.next();
    if (done) break;
    const { inode, member } = value;
    const file = inode.Kind === 'regular' && member.type !== HARD_LINK && member.size > 0 ? inode : undefined;
    const small = file && member.size <= SMALL_FILE;
    const pax = paxRecords(member);
    const length = headerLength(pax) + (small ? member.size + BLOCK : 0);
    if (!chunks.fits(length)) yield chunks.take(length);
    chunks.header(member, pax);
    if (!file) continue;
    if (small) {
      chunks.contents(member.size, (into, at) => objects.readInto(file.Hash, member.size, into, at));
      continue;
    }
    yield chunks.take();
    const object = objects.open(file.Hash);
    try {
      if (object.size !== member.size)
        throw new ImageServerError('CORRUPT', `object has another length than the image says: ${file.Hash}`);
      yield* objectChunks(object);
    } finally {
      object.close();
    }
    chunks.zeros(paddingLength(member.size));
  }
  if (!chunks.fits(2 * BLOCK)) yield chunks.take();
  chunks.zeros(2 * BLOCK);
  yield chunks.take();
}

/** The chunks as a body; others get their turn after each one. */
async function* inTurns(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    archiveGrew(chunk.length);
    yield chunk;
    await others();
  }
}

/** Throws OBJECT_NOT_FOUND while that can still be told. In slices. */
async function checkObjects(source: ImageTree, tree: Tree, objects: ObjectStore): Promise<void> {
  let until = performance.now() + SLICE_MS;
  for (const inode of tree.InodeTable?.values() ?? []) {
    if (inode?.Kind === 'regular' && inode.Size > 0n && objects.size(inode.Hash) === 0)
      throw new ImageServerError('OBJECT_NOT_FOUND', `object of the image is missing: ${inode.Hash}`);
    if (performance.now() < until) continue;
    workedOnAnswer(SLICE_MS);
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
  const body = chunkStream(inTurns(archive(tree, FileSystem, services.objects)));
  return new Response(compressed ? body.pipeThrough(new CompressionStream('gzip') as never) : body, {
    headers,
  });
}
