/** What the OpenAPI document says of uploading objects. */
import {
  BINARY,
  type Description,
  EXAMPLE_HASH,
  headerParameter,
  JSON_OF,
  pathParameter,
  REF,
} from '../openapi/operation.ts';

const HASH = pathParameter('hash', 'SHA-512 of the contents, 128 hexadecimal digits', EXAMPLE_HASH);
const STORED = JSON_OF(REF('AddObjectResponse'), { ErrorString: '', Hash: EXAMPLE_HASH, Added: true });
const ERRORS = ['INVALID_REQUEST', 'HASH_MISMATCH', 'COLLISION', 'NO_SPACE', 'TOO_LARGE', 'TIMEOUT'] as const;

export const PUT_DOC: Description = {
  tag: 'Objects',
  summary: 'Uploads an object whose hash is known',
  description:
    'Streamed and verified, of any size, which need not be known beforehand (`curl -T - `); durable when answered. With `If-None-Match: *` an object that is here already is answered with 412 before its bytes are sent. With `Content-Range: bytes first-last/total` (`curl -C - -T file`) the request carries a part, as PATCH does. A whole upload that breaks off leaves nothing.',
  permission: ['ObjectServer.AddObjects'],
  parameters: [
    HASH,
    headerParameter('If-None-Match', '`*`: only if it is not here yet'),
    headerParameter('Content-Range', 'The part that this request carries'),
  ],
  body: { content: BINARY() },
  okStatus: 201,
  ok: {
    description: 'Stored',
    content: STORED,
    headers: { Location: 'Where it is', ETag: 'The hash in quotes' },
  },
  others: {
    200: { description: 'It was here already, with these very contents', content: STORED },
    202: {
      description: 'The part is taken; more is needed',
      headers: { 'Upload-Offset': 'Bytes that have arrived', 'Upload-Length': 'Bytes in all' },
    },
  },
  errors: [...ERRORS, 'PRECONDITION_FAILED', 'UPLOAD_OFFSET', 'TOO_MANY_REQUESTS'],
};

export const PATCH_DOC: Description = {
  tag: 'Objects',
  summary: 'Uploads a part of an object; the way to resume',
  description:
    'Begin with `Upload-Offset: 0` and `Upload-Length`. When the connection breaks, what has arrived is kept for half an hour: HEAD of the object tells `Upload-Offset` (with status 404, as the object is not there yet), and the next PATCH goes on from it. The last part is answered with 200 or 201.',
  permission: ['ObjectServer.AddObjects'],
  parameters: [
    HASH,
    headerParameter('Upload-Offset', 'Where this part begins, bytes', true),
    headerParameter('Upload-Length', 'Length of the whole object, bytes; needed with the first part'),
  ],
  body: { content: BINARY() },
  okStatus: 201,
  ok: { description: 'The object is complete and stored', content: STORED },
  others: {
    200: { description: 'Complete; it was here already', content: STORED },
    202: {
      description: 'The part is taken; more is needed',
      headers: { 'Upload-Offset': 'Bytes that have arrived', 'Upload-Length': 'Bytes in all' },
    },
  },
  errors: [...ERRORS, 'UPLOAD_OFFSET', 'CONFLICT', 'TOO_MANY_REQUESTS', 'UNSUPPORTED_MEDIA_TYPE'],
};

export const CANCEL_DOC: Description = {
  tag: 'Objects',
  summary: 'Gives an unfinished upload up',
  description: 'Objects themselves are not deleted this way; see `ImageServer.DeleteUnreferencedObjects`.',
  permission: ['ObjectServer.AddObjects'],
  parameters: [HASH],
  okStatus: 204,
  ok: { description: 'Given up; nothing is left of it' },
  errors: ['INVALID_REQUEST', 'OBJECT_NOT_FOUND'],
};

export const POST_DOC: Description = {
  tag: 'Objects',
  summary: 'Uploads an object; the answer tells its hash',
  description:
    'Streamed, of any size, which need not be known beforehand. With `Repr-Digest: sha-512=:…:` (RFC 9530) the contents must have that hash.',
  permission: ['ObjectServer.AddObjects'],
  parameters: [headerParameter('Repr-Digest', 'SHA-512 that the contents must have, base64 between colons')],
  body: { content: BINARY() },
  okStatus: 201,
  ok: {
    description: 'Stored',
    content: STORED,
    headers: { Location: 'Where it is', ETag: 'The hash in quotes' },
  },
  others: { 200: { description: 'It was here already', content: STORED } },
  errors: [...ERRORS, 'UNSUPPORTED_MEDIA_TYPE'],
};
