/** Fetching images and sources of trees. */
import { readFileSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { compileFilter, type PathFilter, parseFilter } from '../image/filter.ts';
import { decodeOnce } from '../wire/gob/decoder.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import { FileSystem as FileSystemSchema } from '../wire/messages/filesystem.ts';
import { Image } from '../wire/messages/image.ts';
import { GetImageRequest, GetImageResponse } from '../wire/messages/imageserver.ts';
import type { Context } from './command.ts';
import { scanDirectory } from './scan-directory.ts';

/** An image of the server; throws `NAME: not found`. */
export async function fetchImage(
  context: Context,
  name: string,
  options: { ignoreFilesystem?: boolean } = {},
): Promise<Image> {
  const client = await context.client();
  const { Image: image } = await client.call('ImageServer.GetImage', GetImageRequest, GetImageResponse, {
    ImageName: name,
    IgnoreFilesystem: options.ignoreFilesystem ?? false,
    IgnoreFilesystemIfExpiring: false,
    Timeout: context.flags.timeout,
  });
  if (!image) throw new ImageServerError('IMAGE_NOT_FOUND', `${name}: not found`);
  return image;
}

function treeOf(image: Image, name: string): FileSystem {
  if (!image.FileSystem) throw new ImageServerError('INVALID_IMAGE', `${name}: image has no file-system`);
  return image.FileSystem;
}

/** The tree of a typed source: `i:` image (also the default), `d:` directory, `f:` encoded tree, `l:` encoded image. */
export async function fetchTree(context: Context, source: string): Promise<FileSystem> {
  const typed = source.length >= 3 && source[1] === ':';
  const kind = typed ? source[0] : 'i';
  const name = typed ? source.slice(2) : source;
  switch (kind) {
    case 'i':
      return treeOf(await fetchImage(context, name), name);
    case 'd':
      return scanDirectory(name).tree;
    case 'f':
      return decodeOnce(FileSystemSchema, readFileSync(name)).value;
    case 'l':
      return treeOf(decodeOnce(Image, readFileSync(name)).value, name);
    default:
      throw new ImageServerError('INVALID_REQUEST', `unknown image type: ${kind}`);
  }
}

/** Lines of a filter file, compiled; undefined for the empty name. */
export function loadFilter(file: string): PathFilter | undefined {
  return file === '' ? undefined : compileFilter(parseFilter(readFileSync(file, 'utf8')).FilterLines);
}

/** Objects a tree needs, each once. */
export function objectsOf(tree: FileSystem): { hash: string; size: number }[] {
  const objects = new Map<string, number>();
  for (const inode of tree.InodeTable?.values() ?? [])
    if (inode?.Kind === 'regular' && inode.Size > 0n) objects.set(inode.Hash, Number(inode.Size));
  return [...objects].map(([hash, size]) => ({ hash, size }));
}
