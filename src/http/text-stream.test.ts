import { expect, test } from 'bun:test';
import { streamedBytes } from './text-stream.ts';

const STREAMS = 16;
const PIECES = 10;

function burn(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

test('however many long answers are made at once, others get their turn after a few milliseconds', async () => {
  let sinceTurn = 0;
  let most = 0;
  let over = false;
  const tick = () => {
    sinceTurn = 0;
    if (!over) setImmediate(tick);
  };
  function* pieces(): Generator<Uint8Array> {
    for (let piece = 0; piece < PIECES; piece++) {
      burn(1);
      most = Math.max(most, ++sinceTurn);
      yield new Uint8Array([piece]);
    }
  }
  setImmediate(tick);
  const answers = Array.from({ length: STREAMS }, () =>
    streamedBytes(new Request('http://x/'), pieces(), {}).bytes(),
  );
  const wanted = Uint8Array.from({ length: PIECES }, (_, piece) => piece);
  for (const answer of await Promise.all(answers)) expect(answer).toEqual(wanted);
  over = true;
  // Two milliseconds of each turn, and what was begun by then.
  expect(most).toBeLessThanOrEqual(4);
});
