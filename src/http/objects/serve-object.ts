/** The contents of one object as an answer: conditional, ranges, zero-copy. */
import { readSync } from 'node:fs';
import { ImageServerError } from '../../errors.ts';
import { fileResponse } from '../../front/file-response.ts';
import type { ObjectReader, ObjectStore } from '../../store/types.ts';
import { select } from '../conditional.ts';
import { HttpProblem } from '../problem.ts';
import { type RequestState, stateOf } from '../request-state.ts';
import { contentDigest } from './hash-parameter.ts';
import type { SmallObjects } from './small-objects.ts';

export interface ServeOptions {
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly small?: SmallObjects | undefined;
}

/** What is as short as this is read at once: cheaper than having whoever sends it open the file again. Bytes. */
const SMALL = 64 * 1024;

/** Where short contents are read to: a Response takes a copy of them. */
const scratch = new Uint8Array(SMALL);

/** The bytes, until the next call. Throws CORRUPT if the file is shorter than recorded. */
function readRange(object: ObjectReader, start: number, end: number): Uint8Array<ArrayBuffer> {
  const bytes = scratch.subarray(0, end - start);
  for (let at = 0; at < bytes.length; ) {
    const read = readSync(object.fd, bytes, at, bytes.length - at, start + at);
    if (read === 0) throw new ImageServerError('CORRUPT', `object is shorter than recorded: ${object.hash}`);
    at += read;
  }
  return bytes;
}

/** Contents never change under their hash. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** On a secure server only the caller's own cache may keep what needed a certificate. */
function cacheControl(state: RequestState): string {
  return state.secure ? IMMUTABLE.replace('public', 'private') : IMMUTABLE;
}

/** Makes an answer of the part from `start` to `end`. */
type BodyOf = (start: number, end: number, init: ResponseInit) => Response;

/** The answer for an object of `size` bytes. */
function answer(
  request: Request,
  hash: string,
  size: number,
  bodyOf: BodyOf,
  options: ServeOptions,
): Response {
  const state = stateOf(request);
  const etag = `"${hash}"`;
  const selected = select(request.headers, etag, size);
  const headers: Record<string, string> = {
    etag,
    'accept-ranges': 'bytes',
    'cache-control': cacheControl(state),
    ...options.headers,
  };
  switch (selected.status) {
    case 304:
      return new Response(null, { status: 304, headers });
    case 412:
      throw new HttpProblem('PRECONDITION_FAILED', 'the object does not match If-Match');
    case 416:
      throw new HttpProblem('RANGE_NOT_SATISFIABLE', `the object has ${size} bytes`, {
        'content-range': `bytes */${size}`,
      });
  }
  const { status, start, end } = selected;
  headers['content-type'] = options.type ?? 'application/octet-stream';
  headers['content-length'] = String(end - start);
  const digest = contentDigest(hash);
  if (status === 206) {
    headers['content-range'] = `bytes ${start}-${end - 1}/${size}`;
    // Of the part there is no digest at hand, only of the whole.
    headers['repr-digest'] = digest;
  } else headers['content-digest'] = digest;
  return state.head ? new Response(null, { status, headers }) : bodyOf(start, end, { status, headers });
}

/** Answers a GET (or HEAD) for an object. Throws OBJECT_NOT_FOUND, CORRUPT, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE. */
export function serveObject(
  request: Request,
  objects: ObjectStore,
  hash: string,
  options: ServeOptions = {},
): Response {
  const { small } = options;
  const kept = small?.get(hash);
  if (kept && objects.size(hash) === kept.length) {
    const fromMemory: BodyOf = (start, end, init) => new Response(kept.subarray(start, end), init);
    return answer(request, hash, kept.length, fromMemory, options);
  }
  const object: ObjectReader = objects.open(hash);
  try {
    const fromFile: BodyOf = (start, end, init) => {
      if (end - start > SMALL) return fileResponse({ path: object.path, start, end }, init);
      const bytes = readRange(object, start, end);
      if (bytes.length === object.size) small?.keep(hash, bytes);
      return new Response(bytes, init);
    };
    return answer(request, hash, object.size, fromFile, options);
  } finally {
    // Whoever sends the answer opens the file anew; that it is whole has been seen here.
    object.close();
  }
}
