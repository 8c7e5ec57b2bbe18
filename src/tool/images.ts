/** Images and trees to work on: those of the server, and typed sources. */
import { readFileSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { compileFilter, type PathFilter, parseFilter } from '../image/filter.ts';
import { decodeOnce } from '../wire/gob/decoder.ts';
import { FileSystem } from '../wire/messages/filesystem.ts';
import { Image } from '../wire/messages/image.ts';
import { GetImageRequest, GetImageResponse } from '../wire/messages/imageserver.ts';
import type { Context } from './command.ts';
import { scanDirectory } from './scan-directory.ts';
import { pollSub } from './sub.ts';
import { readTextFile } from './text-file.ts';
import { scanVm } from './virtual-machine.ts';

/** An image of the server, or null; waits for it as long as -timeout says. */
export async function findImage(context: Context, name: string, withTree: boolean): Promise<Image | null> {
  const client = await context.client();
  const reply = await client.call('ImageServer.GetImage', GetImageRequest, GetImageResponse, {
    ImageName: name,
    IgnoreFilesystem: !withTree,
    IgnoreFilesystemIfExpiring: false,
    Timeout: context.flags.timeout,
  });
  return reply.Image;
}

/** An image of the server; throws IMAGE_NOT_FOUND. Its tree may be null if it is not asked for. */
export async function fetchImage(context: Context, name: string, withTree = true): Promise<Image> {
  const image = await findImage(context, name, withTree);
  if (!image) throw new ImageServerError('IMAGE_NOT_FOUND', `${name}: not found`);
  return image;
}

/** The tree of an image; throws INVALID_IMAGE if it has none. */
export function treeOf(image: Image, name: string): FileSystem {
  if (!image.FileSystem) throw new ImageServerError('INVALID_IMAGE', `${name}: image has no file-system`);
  return image.FileSystem;
}

/** Reads a file that holds one encoded value. Throws what is wrong with it, with its name. */
function decodeFile<T>(file: string, decode: (bytes: Uint8Array) => T): T {
  const bytes = readFileSync(file);
  try {
    return decode(bytes);
  } catch (cause) {
    const { message } = cause as Error;
    throw new ImageServerError('INVALID_REQUEST', `${file}: ${message}`, { cause });
  }
}

/**
 * The tree of a typed source: `i:` image (also the default), `d:` directory, `f:` encoded tree, `l:` encoded image, `s:`
 * running machine, `v:` virtual machine.
 */
export async function fetchTree(context: Context, source: string): Promise<FileSystem> {
  const typed = source.length >= 3 && source[1] === ':';
  const kind = typed ? source[0] : 'i';
  const name = typed ? source.slice(2) : source;
  switch (kind) {
    case 'i':
      return treeOf(await fetchImage(context, name), name);
    case 'd':
      return scanDirectory(name, { progress: context.progress });
    case 'f':
      return decodeFile(name, (bytes) => decodeOnce(FileSystem, bytes).value);
    case 'l':
      return decodeFile(name, (bytes) => treeOf(decodeOnce(Image, bytes).value, name));
    case 's':
      return pollSub(context, name);
    case 'v':
      return scanVm(context, name);
    default:
      throw new ImageServerError('INVALID_REQUEST', `unknown image type: ${kind}`);
  }
}

/** Lines of a filter file, compiled; undefined for the empty name. */
export function loadFilter(file: string): PathFilter | undefined {
  return file === '' ? undefined : compileFilter(parseFilter(readTextFile(file)).FilterLines);
}
