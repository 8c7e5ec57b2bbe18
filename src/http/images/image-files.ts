/** GET /images/{name}/files/{path}: one file out of an image, with its type and name. */
import { ImageServerError } from '../../errors.ts';
import { baseName } from '../../image/paths.ts';
import type { Services } from '../../methods/services.ts';
import { serveObject } from '../objects/serve-object.ts';
import { attachment, fileType } from './file-type.ts';
import { lookUp } from './tree.ts';

/** SHA-512 of nothing: the tag of empty files. */
const EMPTY =
  'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e';

const WHAT = {
  computed: 'made on each machine',
  special: 'a device or a fifo',
  directory: 'a directory; see /tree/',
} as const;

/** Throws FILE_NOT_FOUND for what has no contents. */
export async function imageFile(
  request: Request,
  services: Services,
  name: string,
  path: string,
): Promise<Response> {
  const { FileSystem } = (await services.images.tree(name, request.signal)).image;
  if (!FileSystem) throw new ImageServerError('FILE_NOT_FOUND', 'the image has no tree');
  const found = lookUp(FileSystem, path, true);
  const { inode } = found;
  if (inode.Kind !== 'regular')
    throw new ImageServerError(
      'FILE_NOT_FOUND',
      `${JSON.stringify(found.path)} has no contents: it is ${inode.Kind === 'symlink' ? 'a link' : WHAT[inode.Kind]}`,
    );
  const fileName = baseName(found.path);
  const headers = {
    // The file under this path changes when the image is replaced; its contents are somebody's, not ours.
    'cache-control': 'private, no-cache',
    'content-disposition': attachment(fileName),
    'content-security-policy': "sandbox; default-src 'none'",
  };
  const type = fileType(fileName);
  if (inode.Size > 0n) return serveObject(request, services.objects, inode.Hash, { type, headers });
  return new Response(null, {
    headers: { ...headers, etag: `"${EMPTY}"`, 'content-type': type, 'content-length': '0' },
  });
}
