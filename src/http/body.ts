/** Request bodies, never longer than the route allows. */
import { ImageServerError } from '../errors.ts';
import { BodyBrokenOff } from '../front/http-body.ts';
import { BadRequest } from '../front/http-head.ts';

function tooLarge(limit: number): ImageServerError {
  return new ImageServerError('TOO_LARGE', `request body above ${limit} bytes`);
}

/** The announced length of the body in bytes; undefined if it comes in chunks. Throws TOO_LARGE. */
export function announcedLength(request: Request, limit = Number.MAX_SAFE_INTEGER): number | undefined {
  const text = request.headers.get('content-length');
  if (text === null) return undefined;
  const length = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(length))
    throw new ImageServerError('INVALID_REQUEST', 'bad Content-Length');
  if (length > limit) throw tooLarge(limit);
  return length;
}

/** True if the request says that nothing follows its head. */
export function hasNoBody({ headers }: Request): boolean {
  const length = headers.get('content-length');
  return length === '0' || (length === null && !headers.has('transfer-encoding'));
}

/** What a body that cannot be read to its end is refused with. */
function bodyError(thrown: unknown): ImageServerError {
  if (!(thrown instanceof BadRequest) || thrown instanceof BodyBrokenOff)
    return new ImageServerError('CANCELLED', 'the request body broke off', { cause: thrown });
  const code = thrown.status === 408 ? 'TIMEOUT' : 'INVALID_REQUEST';
  return new ImageServerError(code, thrown.message, { cause: thrown });
}

/**
 * The chunks of a body; stops reading when the consumer does. Throws CANCELLED if the client goes away, TIMEOUT if it
 * falls silent, INVALID_REQUEST if its chunks are malformed.
 */
export async function* bodyChunks(request: Request): AsyncGenerator<Uint8Array, void, void> {
  const reader = request.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      let result: Awaited<ReturnType<typeof reader.read>>;
      try {
        result = await reader.read();
      } catch (thrown) {
        throw bodyError(thrown);
      }
      if (result.done) return;
      if (result.value.length > 0) yield result.value;
    }
  } finally {
    reader.cancel().catch(() => {
      // The connection is gone already; there is nothing left to stop.
    });
  }
}

/** The whole body, at most `limit` bytes. Throws TOO_LARGE, CANCELLED. */
export async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  announcedLength(request, limit);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bodyChunks(request)) {
    length += chunk.length;
    if (length > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, length);
}

const strict = new TextDecoder('utf-8', { fatal: true });

/** Undefined if the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The whole body as text. Throws INVALID_REQUEST if it is not UTF-8. */
export async function readText(request: Request, limit: number): Promise<string> {
  const text = utf8Text(await readBody(request, limit));
  if (text === undefined) throw new ImageServerError('INVALID_REQUEST', 'the request body is not UTF-8 text');
  return text;
}
