/** Long texts as bodies of answers, made piece by piece so that nobody else waits, compressed if the client likes. */
import { SharedTurns } from '../shared-turns.ts';
import { workedOnAnswer } from './garbage.ts';
import { acceptsGzip } from './reply.ts';

/** Characters in one piece of the body. */
const PIECE = 64 * 1024;
/** Longest time that is worked on a body without a break, milliseconds; looked at after so many pieces. */
export const SLICE_MS = 2;
const LOOK_EVERY = 64;

const turns = new SharedTurns();
/** Lets them have their turn: all long answers together take but a part of each turn of the event loop. */
export const others = () => turns.next();

/** Texts gathered in pieces that are worth sending; an empty one when the time of a slice is over. */
export function* gathered(pieces: Iterable<string>): Generator<Uint8Array> {
  let text = '';
  let until = performance.now() + SLICE_MS;
  let count = 0;
  for (const piece of pieces) {
    text += piece;
    count++;
    const full = text.length >= PIECE;
    if (!full && !(count % LOOK_EVERY === 0 && performance.now() > until)) continue;
    yield Buffer.from(text);
    text = '';
    until = performance.now() + SLICE_MS;
  }
  yield Buffer.from(text);
}

/** What has to be there while pieces are made: a tree may have been let go of while the reader was waited for. */
export interface Source {
  use(): void | Promise<void>;
}

/** The pieces as a body, at the pace of its reader; other work gets its turn after each one. */
function pieceStream(pieces: Iterable<Uint8Array>, source: Source | undefined): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.iterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          await others();
          const loading = source?.use();
          if (loading) await loading;
          const since = performance.now();
          const { value, done } = iterator.next();
          workedOnAnswer(performance.now() - since);
          if (done) controller.close();
          else if (value.length > 0) controller.enqueue(value);
          if (done || value.length > 0) return;
        }
      },
      cancel() {
        iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** An answer made of pieces of bytes, which are text. */
export function streamedBytes(
  request: Request,
  pieces: Iterable<Uint8Array>,
  headers: Readonly<Record<string, string>>,
  source?: Source,
): Response {
  const body = pieceStream(pieces, source);
  const all = { ...headers, vary: 'accept, accept-encoding' };
  if (!acceptsGzip(request)) return new Response(body, { headers: all });
  return new Response(body.pipeThrough(new CompressionStream('gzip') as never), {
    headers: { ...all, 'content-encoding': 'gzip' },
  });
}

/** An answer made of pieces of text. */
export function streamedText(
  request: Request,
  pieces: Iterable<string>,
  headers: Readonly<Record<string, string>>,
  source?: Source,
): Response {
  return streamedBytes(request, gathered(pieces), headers, source);
}
