/** The contents of one object as an answer: conditional, ranges, zero-copy. */
import { readSync } from 'node:fs';
import { ImageServerError } from '../../errors.ts';
import { fileResponse } from '../../front/file-response.ts';
import type { ObjectReader, ObjectStore } from '../../store/types.ts';
import { select } from '../conditional.ts';
import { HttpProblem } from '../problem.ts';
import { type RequestState, stateOf } from '../request-state.ts';
import { contentDigest } from './hash-parameter.ts';

export interface ServeOptions {
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
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

/** Answers a GET (or HEAD) for an object. Throws OBJECT_NOT_FOUND, CORRUPT, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE. */
export function serveObject(
  request: Request,
  objects: ObjectStore,
  hash: string,
  options: ServeOptions = {},
): Response {
  const state = stateOf(request);
  const object: ObjectReader = objects.open(hash);
  try {
    const etag = `"${hash}"`;
    const selected = select(request.headers, etag, object.size);
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
        throw new HttpProblem('RANGE_NOT_SATISFIABLE', `the object has ${object.size} bytes`, {
          'content-range': `bytes */${object.size}`,
        });
    }
    const { status, start, end } = selected;
    headers['content-type'] = options.type ?? 'application/octet-stream';
    headers['content-length'] = String(end - start);
    const digest = contentDigest(hash);
    if (status === 206) {
      headers['content-range'] = `bytes ${start}-${end - 1}/${object.size}`;
      // Of the part there is no digest at hand, only of the whole.
      headers['repr-digest'] = digest;
    } else headers['content-digest'] = digest;
    if (state.head) return new Response(null, { status, headers });
    if (end - start <= SMALL) return new Response(readRange(object, start, end), { status, headers });
    return fileResponse({ path: object.path, start, end }, { status, headers });
  } finally {
    // Whoever sends the answer opens the file anew; that it is whole has been seen here.
    object.close();
  }
}
