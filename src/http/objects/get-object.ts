/** GET /objects/{hash}, and /getObject?{hash} as the newest original has it. */
import { Elysia } from 'elysia';
import { ImageServerError } from '../../errors.ts';
import { authorize } from '../authorize.ts';
import type { HttpDeps } from '../deps.ts';
import { rawQuery } from '../entrance.ts';
import {
  BINARY,
  type Description,
  describe,
  EXAMPLE_HASH,
  headerParameter,
  pathParameter,
} from '../openapi/operation.ts';
import { problemResponse } from '../problem.ts';
import { stateOf } from '../request-state.ts';
import { parseHash } from './hash-parameter.ts';
import { serveObject } from './serve-object.ts';
import { progress, type ResumableUpload, type Uploads } from './uploads.ts';

const DESCRIPTION: Description = {
  tag: 'Objects',
  summary: 'The contents of an object',
  description:
    'Contents never change under their hash, so they may be cached for ever. One range of bytes can be asked for, suffixes included; a request for several ranges is answered with the whole. HEAD tells the size, and for an upload that broke off how far it got (`Upload-Offset`).',
  permission: ['ObjectServer.GetObjects'],
  parameters: [
    pathParameter('hash', 'SHA-512 of the contents, 128 hexadecimal digits', EXAMPLE_HASH),
    headerParameter('Range', 'One range, e.g. `bytes=0-1023` or `bytes=-1024`'),
    headerParameter('If-None-Match', 'ETag of what the client has'),
    headerParameter('If-Range', 'ETag of what the client has a part of'),
  ],
  ok: {
    description: 'The contents',
    content: BINARY(),
    headers: {
      ETag: 'The hash in quotes',
      'Accept-Ranges': '`bytes`',
      'Content-Digest': 'SHA-512 of the body (RFC 9530); with a part, `Repr-Digest` of the whole object',
    },
  },
  others: {
    206: { description: 'The part asked for', content: BINARY(), headers: { 'Content-Range': 'Which part' } },
    304: { description: 'The client has it already' },
  },
  errors: ['INVALID_REQUEST', 'OBJECT_NOT_FOUND', 'PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE', 'CORRUPT'],
};

/** 404 for an object of which a part has been uploaded: tells how far. */
function unfinished(thrown: unknown, request: Request, upload: ResumableUpload | undefined): Response {
  if (!upload || !(thrown instanceof ImageServerError) || thrown.code !== 'OBJECT_NOT_FOUND') throw thrown;
  const response = problemResponse(thrown, stateOf(request).id);
  for (const [name, value] of Object.entries(progress(upload))) response.headers.set(name, value);
  return response;
}

export function getObject(deps: HttpDeps, uploads?: Uploads) {
  const { objects } = deps.services;
  return new Elysia({ name: 'get-object' })
    .get(
      '/objects/:hash',
      ({ request, params }) => {
        authorize(deps, request, 'ObjectServer.GetObjects');
        const hash = parseHash(params.hash);
        try {
          return serveObject(request, objects, hash);
        } catch (thrown) {
          return unfinished(thrown, request, uploads?.get(hash));
        }
      },
      { detail: describe(DESCRIPTION) },
    )
    .get(
      '/getObject',
      ({ request }) => {
        authorize(deps, request, 'ObjectServer.GetObjects');
        return serveObject(request, objects, parseHash(rawQuery(request)));
      },
      {
        detail: describe({
          ...DESCRIPTION,
          summary: 'The contents of an object; the hash is the whole query',
          description: `As \`GET /objects/{hash}\`, for clients of the original: \`/getObject?${EXAMPLE_HASH.slice(0, 8)}…\`.`,
          parameters: [],
        }),
      },
    );
}
