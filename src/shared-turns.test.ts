import { expect, test } from 'bun:test';
import { SharedTurns } from './shared-turns.ts';

function burn(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

test('however many ask at once, others get their turn in between, and the order is kept', async () => {
  const turns = new SharedTurns();
  const order: number[] = [];
  let sinceTurn = 0;
  let most = 0;
  let over = false;
  const tick = () => {
    sinceTurn = 0;
    if (!over) setImmediate(tick);
  };
  const work = async (index: number) => {
    await turns.next();
    // What is done some microtasks later counts, too.
    for (let hop = 0; hop < 10; hop++) await undefined;
    order.push(index);
    most = Math.max(most, ++sinceTurn);
    burn(0.5);
  };
  setImmediate(tick);
  await Promise.all(Array.from({ length: 200 }, (_, index) => work(index)));
  over = true;
  expect(order).toEqual([...Array(200).keys()]);
  // Two milliseconds of each turn, and what was begun by then.
  expect(most).toBeLessThanOrEqual(5);
});

test('alone it is at once, again and again', async () => {
  const turns = new SharedTurns();
  for (let count = 0; count < 100; count++) await turns.next();
});
