/** PUT and POST of objects: streamed, verified, durable when answered; PATCH (or PUT with Content-Range) to resume. */
import { Elysia } from 'elysia';
import { ImageServerError } from '../../errors.ts';
import type { Call } from '../../methods/method.ts';
import type { Hash, PutResult } from '../../store/types.ts';
import { toJson } from '../../wire/json.ts';
import { AddObjectResponse } from '../../wire/messages/objectserver.ts';
import { methodNamed, runCall } from '../authorize.ts';
import { announcedLength, bodyChunks, hasNoBody } from '../body.ts';
import { checkMediaType } from '../browser-guard.ts';
import type { HttpDeps } from '../deps.ts';
import { describe } from '../openapi/operation.ts';
import { HttpProblem } from '../problem.ts';
import { jsonReply } from '../reply.ts';
import { contentDigest, parseHash } from './hash-parameter.ts';
import { CANCEL_DOC, PATCH_DOC, POST_DOC, PUT_DOC } from './put-description.ts';
import { storeObject } from './store-object.ts';
import { progress, type ResumableUpload, type Uploads } from './uploads.ts';

const ADD_OBJECTS = 'ObjectServer.AddObjects';

/** 201 if the object is new, 200 if it was here already. */
function storedReply(request: Request, { hash, added }: PutResult): Response | Promise<Response> {
  return jsonReply(request, toJson(AddObjectResponse, { ErrorString: '', Hash: hash, Added: added }), {
    status: added ? 201 : 200,
    headers: { location: `/objects/${hash}`, etag: `"${hash}"`, 'repr-digest': contentDigest(hash) },
  });
}

/** Length of the object, from Content-Length; undefined if it comes in chunks. Throws INVALID_REQUEST. */
function objectLength(request: Request): number | undefined {
  const length = announcedLength(request);
  if (length === 0 || hasNoBody(request))
    throw new ImageServerError('INVALID_REQUEST', 'empty objects are not stored');
  return length;
}

/** What `Repr-Digest` or `Content-Digest` says the SHA-512 is. Throws INVALID_REQUEST. */
function digestOf(request: Request): Hash | undefined {
  const header = request.headers.get('repr-digest') ?? request.headers.get('content-digest');
  const match = /(?:^|[,\s])sha-512=:([A-Za-z0-9+/=]+):/.exec(header ?? '');
  if (!match) return undefined;
  const hash = Buffer.from(match[1] as string, 'base64').toString('hex');
  if (hash.length !== 128) throw new ImageServerError('INVALID_REQUEST', 'sha-512 digests have 64 bytes');
  return hash;
}

/** Which part of the object a request carries: from Content-Range, or Upload-Offset and Upload-Length. */
function partOf(request: Request): { offset: number; total: number | undefined } | undefined {
  const { headers } = request;
  const range = headers.get('content-range');
  if (range !== null) {
    const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(range);
    if (!match)
      throw new ImageServerError('INVALID_REQUEST', 'Content-Range must be `bytes first-last/total`');
    return { offset: Number(match[1]), total: Number(match[3]) };
  }
  const offset = headers.get('upload-offset');
  if (offset === null) return undefined;
  const total = headers.get('upload-length');
  if (!/^\d{1,15}$/.test(offset) || (total !== null && !/^\d{1,15}$/.test(total)))
    throw new ImageServerError('INVALID_REQUEST', 'Upload-Offset and Upload-Length are numbers of bytes');
  return { offset: Number(offset), total: total === null ? undefined : Number(total) };
}

export function putObject(deps: HttpDeps, uploads: Uploads) {
  const { services } = deps;
  const method = methodNamed(ADD_OBJECTS);

  /** The upload that a part belongs to; a first part begins a new one. */
  const uploadFor = (hash: Hash, offset: number, total: number | undefined, call: Call): ResumableUpload => {
    const open = uploads.get(hash);
    if (open && (total === undefined || total === open.length)) {
      if (offset === open.offset || offset > 0) return open;
    }
    if (offset !== 0)
      throw new ImageServerError(
        'CONFLICT',
        'no such upload is waiting for more bytes: begin again at offset 0',
      );
    if (!total) throw new ImageServerError('INVALID_REQUEST', 'the first part must tell the whole length');
    open?.drop();
    return uploads.begin(hash, total, (object) => storeObject(services, call, object));
  };

  const feedPart = async (
    request: Request,
    hash: Hash,
    part: NonNullable<ReturnType<typeof partOf>>,
    call: Call,
  ) => {
    const upload = uploadFor(hash, part.offset, part.total, call);
    try {
      return (await upload.feed(part.offset, bodyChunks(request))) ?? upload;
    } catch (thrown) {
      if (thrown instanceof ImageServerError && thrown.code === 'CONFLICT')
        throw new HttpProblem('UPLOAD_OFFSET', thrown.message, progress(upload));
      throw thrown;
    }
  };

  const putPart = (request: Request, hash: Hash, part: NonNullable<ReturnType<typeof partOf>>) =>
    runCall(deps, request, method, async (call) => {
      call.subject = hash;
      const outcome = await feedPart(request, hash, part, call);
      if ('added' in outcome) return storedReply(request, outcome);
      return new Response(null, { status: 202, headers: progress(outcome) });
    });

  return new Elysia({ name: 'put-object' })
    .put(
      '/objects/:hash',
      ({ request, params }) => {
        const hash = parseHash(params.hash);
        const part = partOf(request);
        if (part) return putPart(request, hash, part);
        return runCall(deps, request, method, async (call) => {
          call.subject = hash;
          if (request.headers.get('if-none-match')?.trim() === '*' && services.objects.size(hash) > 0)
            throw new HttpProblem('PRECONDITION_FAILED', 'the object is here already');
          const length = objectLength(request);
          return storedReply(
            request,
            await storeObject(services, call, { length, expected: hash, data: bodyChunks(request) }),
          );
        });
      },
      { parse: 'none', detail: describe(PUT_DOC) },
    )
    .patch(
      '/objects/:hash',
      ({ request, params }) => {
        checkMediaType(request, ['application/partial-upload', 'application/octet-stream']);
        const part = partOf(request);
        if (!part) throw new ImageServerError('INVALID_REQUEST', 'Upload-Offset is missing');
        return putPart(request, parseHash(params.hash), part);
      },
      { parse: 'none', detail: describe(PATCH_DOC) },
    )
    .delete(
      '/objects/:hash',
      ({ request, params }) =>
        runCall(deps, request, method, (call) => {
          call.subject = params.hash;
          const upload = uploads.get(parseHash(params.hash));
          if (!upload)
            throw new ImageServerError('OBJECT_NOT_FOUND', 'no upload of this object is under way');
          upload.drop();
          return new Response(null, { status: 204 });
        }),
      { detail: describe(CANCEL_DOC) },
    )
    .post(
      '/objects',
      ({ request }) => {
        checkMediaType(request, ['application/octet-stream']);
        return runCall(deps, request, method, async (call) => {
          const length = objectLength(request);
          const expected = digestOf(request);
          const result = await storeObject(services, call, { length, expected, data: bodyChunks(request) });
          call.subject = result.hash;
          return storedReply(request, result);
        });
      },
      { parse: 'none', detail: describe(POST_DOC) },
    );
}
