/** GET of an image: as JSON, or as the bytes that are stored. */
import { ImageServerError } from '../../errors.ts';
import type { ImageEntry, ImageStore } from '../../store/types.ts';
import { jsonChunks } from '../../wire/json.ts';
import { Image } from '../../wire/messages/image.ts';
import { select } from '../conditional.ts';
import { HttpProblem } from '../problem.ts';
import { streamedText } from '../text-stream.ts';

export const GOB_TYPE = 'application/x-gob';
export const TAR_TYPE = 'application/x-tar';

/** Images may be replaced under their name, so every use asks whether it is still the same. */
const REVALIDATE = 'private, no-cache';

/** The entry of an image. Throws IMAGE_NOT_FOUND. */
export function entryNamed(images: ImageStore, name: string): ImageEntry {
  const entry = images.get(name);
  if (!entry) throw new ImageServerError('IMAGE_NOT_FOUND', `no such image: ${JSON.stringify(name)}`);
  return entry;
}

/** Type with the highest preference in Accept among those offered, the first one if none is named; undefined = none. */
export function negotiate(request: Request, offered: readonly string[]): string | undefined {
  const accept = request.headers.get('accept');
  if (accept === null || accept.trim() === '') return offered[0];
  let best: string | undefined;
  let bestQuality = 0;
  for (const type of offered) {
    for (const part of accept.split(',')) {
      const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
      const quality = Number(parameters.find((one) => one.startsWith('q='))?.slice(2) ?? 1);
      const fits =
        range === type || range === '*/*' || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)));
      if (fits && quality > bestQuality) {
        best = type;
        bestQuality = quality;
      }
    }
  }
  return best;
}

/** 304 or 412 if the request's conditions say so. */
export function checkConditions(
  request: Request,
  etag: string,
  headers: Record<string, string>,
): Response | undefined {
  const { status } = select(request.headers, etag.replace(/^W\//, ''), undefined);
  if (status === 304) return new Response(null, { status: 304, headers });
  if (status === 412) throw new HttpProblem('PRECONDITION_FAILED', 'the image does not match If-Match');
  return undefined;
}

/** The bytes that are stored: gob of one `image.Image`, without the checksum behind it. */
export async function gobImage(request: Request, images: ImageStore, entry: ImageEntry): Promise<Response> {
  const etag = `"${entry.identity}"`;
  const { bytes } = await images.read(entry.name);
  const { status, start, end } = select(request.headers, etag, bytes.length);
  const headers: Record<string, string> = {
    etag,
    vary: 'accept',
    'cache-control': REVALIDATE,
    'accept-ranges': 'bytes',
    'content-type': GOB_TYPE,
  };
  if (status === 304) return new Response(null, { status, headers });
  if (status === 412) throw new HttpProblem('PRECONDITION_FAILED', 'the image does not match If-Match');
  if (status === 416)
    throw new HttpProblem('RANGE_NOT_SATISFIABLE', `the image has ${bytes.length} bytes`, {
      'content-range': `bytes */${bytes.length}`,
    });
  if (status === 206) headers['content-range'] = `bytes ${start}-${end - 1}/${bytes.length}`;
  headers['content-length'] = String(end - start);
  return new Response(bytes.subarray(start, end) as Uint8Array<ArrayBuffer>, { status, headers });
}

/** The image as JSON, with or without its tree. */
export async function jsonImage(
  request: Request,
  images: ImageStore,
  entry: ImageEntry,
  withTree: boolean,
): Promise<Response> {
  const headers = jsonImageHeaders(entry);
  const unchanged = checkConditions(request, headers.etag as string, headers);
  if (unchanged) return unchanged;
  if (!withTree) return streamedText(request, jsonChunks(Image, await images.header(entry.name)), headers);
  const tree = await images.tree(entry.name, request.signal);
  return streamedText(request, jsonChunks(Image, tree.image), headers, tree);
}

function jsonImageHeaders(entry: ImageEntry): Record<string, string> {
  // Weak: the same image may be spelled, and compressed, in more than one way.
  return { etag: `W/"${entry.identity}"`, 'cache-control': REVALIDATE, 'content-type': 'application/json' };
}
