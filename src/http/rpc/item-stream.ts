/** Streams of values as bodies of answers: newline-delimited JSON and the like, at the pace of the reader. */

import { Batch } from '../../methods/method.ts';
import { streamTurns } from '../../shared-turns.ts';

/** Values of streams that are not live are gathered into pieces of about this many characters. */
const PIECE = 64 * 1024;

export interface ItemStreamOptions<I> {
  readonly encode: (item: I) => string;
  /** Every item is sent at once; all such streams share their turns. */
  readonly live: boolean;
  /** Encodings of batches, and of what else is shared by streams, which live as long as these. */
  readonly shared?: WeakMap<object, Uint8Array>;
  /** Called once, with the error if there was one. */
  readonly onEnd: (error?: unknown) => void;
  /** Called when the reader goes away, before the source is closed. */
  readonly onCancel: () => void;
}

function bytesOf<I>(value: I | Batch<I>, { encode, shared }: ItemStreamOptions<I>): Uint8Array {
  const sharable = shared && typeof value === 'object' && value !== null;
  const known = sharable ? shared.get(value) : undefined;
  if (known) return known;
  const items = value instanceof Batch ? value.items : [value];
  const bytes = Buffer.from(items.map(encode).join(''));
  if (sharable) shared.set(value, bytes);
  return bytes;
}

/** A body made of the encoded items. An error breaks the connection off, so that nobody takes a part for the whole. */
export function itemStream<I>(
  items: AsyncIterable<I | Batch<I>> | Iterable<I>,
  options: ItemStreamOptions<I>,
): ReadableStream<Uint8Array> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let ended = false;
  const end = (error?: unknown) => {
    if (ended) return;
    ended = true;
    options.onEnd(error);
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          let text = '';
          do {
            const next = source.next();
            const result = next instanceof Promise ? await next : next;
            if (result.done) {
              if (text) controller.enqueue(Buffer.from(text));
              controller.close();
              end();
              return;
            }
            if (options.live) {
              await streamTurns.next();
              controller.enqueue(bytesOf(result.value, options));
              return;
            }
            text += options.encode(result.value as I);
          } while (text.length < PIECE);
          controller.enqueue(Buffer.from(text));
        } catch (thrown) {
          end(thrown);
          controller.error(thrown);
        }
      },
      async cancel() {
        options.onCancel();
        await source.return?.(undefined);
        end();
      },
    },
    { highWaterMark: 0 },
  );
}
