/** POST /objects/query: which of these are missing; POST /objects/batch: many objects in one answer. */
import { Elysia } from 'elysia';
import { ImageServerError } from '../../errors.ts';
import type { Hash, ObjectStore } from '../../store/types.ts';
import { CheckObjectsRequest } from '../../wire/messages/objectserver.ts';
import { authorize } from '../authorize.ts';
import { readText } from '../body.ts';
import { checkMediaType } from '../browser-guard.ts';
import type { HttpDeps } from '../deps.ts';
import { BINARY, describe, EXAMPLE_HASH, JSON_OF, REF } from '../openapi/operation.ts';
import { jsonReply } from '../reply.ts';
import { stateOf } from '../request-state.ts';
import { decodeParameters } from '../rpc/decode.ts';
import { chunkStream, gather, objectChunks } from './object-chunks.ts';

/** A hash takes 131 bytes of JSON; a quarter of a million of them. */
const MAX_QUERY = 32 * 1024 * 1024;
const BATCH_TYPE = 'application/vnd.imageserver.objects';
const HASH_BYTES = 64;
const LENGTH_BYTES = 8;

async function hashesOf(request: Request): Promise<Hash[]> {
  checkMediaType(request, ['application/json']);
  return decodeParameters(CheckObjectsRequest, await readText(request, MAX_QUERY)).Hashes;
}

/** Hash (64 bytes) and length (8 bytes, big-endian) of one object in a batch. */
function head(hash: Hash, length: number): Uint8Array {
  const bytes = Buffer.alloc(HASH_BYTES + LENGTH_BYTES);
  bytes.write(hash, 'hex');
  bytes.writeBigUInt64BE(BigInt(length), HASH_BYTES);
  return bytes;
}

async function* batch(objects: ObjectStore, hashes: readonly Hash[], sizes: readonly number[]) {
  for (const [index, hash] of hashes.entries()) {
    const size = sizes[index] ?? 0;
    yield head(hash, size);
    if (size === 0) continue;
    const object = objects.open(hash);
    try {
      // The lengths are promised already.
      if (object.size !== size) throw new ImageServerError('CORRUPT', `object changed its length: ${hash}`);
      yield* objectChunks(object);
    } finally {
      object.close();
    }
  }
}

const HASHES_BODY = JSON_OF(REF('CheckObjectsRequest'), { Hashes: [EXAMPLE_HASH] });

export function manyObjects(deps: HttpDeps) {
  const { objects } = deps.services;
  return new Elysia({ name: 'many-objects' })
    .post(
      '/objects/query',
      async ({ request }) => {
        authorize(deps, request, 'ObjectServer.CheckObjects');
        const hashes = await hashesOf(request);
        const sizes = objects.sizes(hashes);
        const missing = hashes.filter((_hash, index) => !sizes[index]);
        return jsonReply(request, JSON.stringify({ ObjectSizes: sizes, Missing: missing }));
      },
      {
        parse: 'none',
        detail: describe({
          tag: 'Objects',
          summary: 'Which of these objects are missing?',
          permission: ['ObjectServer.CheckObjects'],
          body: { content: HASHES_BODY },
          ok: {
            description:
              'Sizes in bytes in the order asked for (0 = not here), and the hashes of those that are missing',
            content: JSON_OF(
              {
                type: 'object',
                required: ['ObjectSizes', 'Missing'],
                properties: {
                  ObjectSizes: { type: 'array', items: { type: 'integer', format: 'int64', minimum: 0 } },
                  Missing: { type: 'array', items: { type: 'string' } },
                },
              },
              { ObjectSizes: [0], Missing: [EXAMPLE_HASH] },
            ),
          },
          errors: ['INVALID_REQUEST', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
        }),
      },
    )
    .post(
      '/objects/batch',
      async ({ request }) => {
        authorize(deps, request, 'ObjectServer.GetObjects');
        const hashes = await hashesOf(request);
        const sizes = objects.sizes(hashes);
        const length = sizes.reduce((sum, size) => sum + size, hashes.length * (HASH_BYTES + LENGTH_BYTES));
        const headers = {
          'content-type': BATCH_TYPE,
          'content-length': String(length),
          'cache-control': 'no-store',
        };
        if (stateOf(request).head || length === 0) return new Response(null, { headers });
        return new Response(chunkStream(gather(batch(objects, hashes, sizes))), { headers });
      },
      {
        parse: 'none',
        detail: describe({
          tag: 'Objects',
          summary: 'Many objects in one answer',
          description:
            'In the order asked for; of each: its hash (64 bytes), its length (8 bytes, big-endian; 0 = not here) and its contents. An answer shorter than its Content-Length was not complete.',
          permission: ['ObjectServer.GetObjects'],
          body: { content: HASHES_BODY },
          ok: { description: 'The objects', content: BINARY(BATCH_TYPE) },
          errors: ['INVALID_REQUEST', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'CORRUPT'],
        }),
      },
    );
}
