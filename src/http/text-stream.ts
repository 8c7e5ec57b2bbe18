/** Long texts as bodies of answers, made piece by piece so that nobody else waits, compressed if the client likes. */
import { jsonChunks } from '../wire/json.ts';
import type { Schema } from '../wire/schema.ts';
import { acceptsGzip } from './reply.ts';

/** Characters in one piece of the body. */
const PIECE = 64 * 1024;
/** Longest time that is worked on a body without a break, milliseconds; looked at after so many pieces. */
const SLICE_MS = 4;
const LOOK_EVERY = 64;

const others = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Takes pieces until there is enough text or the time is over. */
function takeSlice(source: Iterator<string>): { text: string; done: boolean } {
  const until = performance.now() + SLICE_MS;
  let text = '';
  for (let count = 1; text.length < PIECE; count++) {
    const { value, done } = source.next();
    if (done) return { text, done: true };
    text += value;
    if (count % LOOK_EVERY === 0 && performance.now() > until) break;
  }
  return { text, done: false };
}

/** The pieces as a body, at the pace of its reader; other work gets its turn after each slice. */
function pieceStream(pieces: Iterable<string>): ReadableStream<Uint8Array> {
  const source = pieces[Symbol.iterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          await others();
          const { text, done } = takeSlice(source);
          if (text) controller.enqueue(Buffer.from(text));
          if (done) controller.close();
          if (text || done) return;
        }
      },
      cancel() {
        source.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** The JSON text of a value with a large inode table, made in slices. */
export async function slicedJson(schema: Schema, value: unknown): Promise<string> {
  const source = jsonChunks(schema, value)[Symbol.iterator]();
  const parts: string[] = [];
  for (;;) {
    const { text, done } = takeSlice(source);
    parts.push(text);
    if (done) return parts.join('');
    await others();
  }
}

/** An answer made of pieces of text. */
export function streamedText(
  request: Request,
  pieces: Iterable<string>,
  headers: Readonly<Record<string, string>>,
): Response {
  const body = pieceStream(pieces);
  const all = { ...headers, vary: 'accept, accept-encoding' };
  if (!acceptsGzip(request)) return new Response(body, { headers: all });
  return new Response(body.pipeThrough(new CompressionStream('gzip') as never), {
    headers: { ...all, 'content-encoding': 'gzip' },
  });
}
