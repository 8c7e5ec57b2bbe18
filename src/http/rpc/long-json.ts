/** JSON that is made while it is sent: an image with its tree, alone or among other values. */
import type { PreparedValue } from '../../methods/method.ts';
import { jsonChunks } from '../../wire/json.ts';
import type { Schema } from '../../wire/schema.ts';
import { jsonReply } from '../reply.ts';
import { gathered, type Source, streamedBytes } from '../text-stream.ts';

const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' };
const NOTHING = new Uint8Array(0);

/** A value whose text is not made yet. */
export class LongJson {
  constructor(
    readonly schema: Schema,
    readonly prepared: PreparedValue,
  ) {}
}

/** JSON text in parts. */
export type JsonParts = readonly (string | LongJson)[];

/** Of all parts only the one that is being written has to be there. */
class Parts implements Source {
  #current: Source | undefined;

  use(): void | Promise<void> {
    return this.#current?.use();
  }
  *pieces(parts: JsonParts): Generator<Uint8Array> {
    for (const part of parts) {
      this.#current = undefined;
      if (typeof part === 'string') {
        yield Buffer.from(part);
        continue;
      }
      this.#current = part.prepared;
      // Its tree is looked after before the next piece is asked for.
      yield NOTHING;
      yield* gathered(jsonChunks(part.schema, part.prepared.value));
    }
  }
}

export function partsReply(request: Request, parts: JsonParts): Response | Promise<Response> {
  if (parts.every((part) => typeof part === 'string')) return jsonReply(request, parts.join(''));
  const source = new Parts();
  return streamedBytes(request, source.pieces(parts), HEADERS, source);
}
