import { expect, test } from 'bun:test';
import { ImageServerError } from '../errors.ts';
import { Bandwidth } from './bandwidth.ts';
import { ObjectFetcher } from './fetch-objects.ts';
import type { MasterLink } from './master-link.ts';
import { Budget, Slots } from './slots.ts';
import { MemoryObjects, sha512 } from './store-fixture.ts';
import { realTimers } from './timers.ts';

/** A master whose calls wait until `answer` is called; `bad` ends a call, `lacking` is not there. */
function place(contents: readonly string[]) {
  const store = new MemoryObjects();
  const byHash = new Map(contents.map((text) => [sha512(Buffer.from(text)), Buffer.from(text)]));
  const calls: string[][] = [];
  const waiting: (() => void)[] = [];
  const faults = { bad: '', lacking: '' };
  const link = {
    async objects(hashes, take) {
      const texts = hashes.map((hash) => String(byHash.get(hash)));
      calls.push(texts);
      await new Promise<void>((resolve) => waiting.push(resolve));
      const missing = texts.flatMap((text, index) => (text === faults.lacking ? [index] : []));
      if (missing.length > 0) return missing;
      for (const [index, text] of texts.entries()) {
        if (text === faults.bad) throw new ImageServerError('UNAVAILABLE', 'EOF');
        await take(index, text.length, Buffer.from(text));
      }
      return [];
    },
  } as Partial<MasterLink> as MasterLink;
  const fetcher = new ObjectFetcher(link, store.asStore(), new Bandwidth(0, realTimers), 1);
  const { signal } = new AbortController();
  const lease = store.upload();
  const fetch = (...wanted: string[]) =>
    fetcher.fetch(
      wanted.map((text) => ({ hash: sha512(Buffer.from(text)), size: text.length })),
      lease,
      signal,
    );
  /** Answers calls until none comes any more. */
  const answer = async () => {
    for (let quiet = 0; quiet < 5; quiet++) {
      if (waiting.length > 0) quiet = 0;
      for (const go of waiting.splice(0)) go();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  return { store, calls, faults, fetch, answer, lease };
}

test('what several images want comes once, in one call, and is leased for each', async () => {
  const { store, calls, fetch, answer, lease } = place(['a', 'b', 'c', 'd']);
  const all = [fetch('a'), fetch('a', 'b'), fetch('b', 'c'), fetch('d')];
  await answer();
  expect(await Promise.all(all)).toEqual([1, 1, 1, 1].map((objects) => ({ objects, bytes: objects })));
  // The first went at once; the others were asked for together when its call was over.
  expect(calls).toEqual([['a'], ['b', 'c', 'd']]);
  store.collect(new Set());
  expect(store.contents.size).toBe(4);
  lease.close();
  store.collect(new Set());
  expect(store.contents.size).toBe(0);
});

test('an object that ends the call costs only those who want it', async () => {
  const { store, calls, faults, fetch, answer } = place(['a', 'b', 'bad', 'c', 'd']);
  faults.bad = 'bad';
  const all = Promise.allSettled([fetch('a'), fetch('b', 'bad', 'c'), fetch('d'), fetch('bad', 'a')]);
  await answer();
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  expect(store.size(sha512(Buffer.from('b')))).toBe(1);
  expect(calls.flat().filter((text) => text === 'b').length).toBe(1);
});

test('an object that the master lacks costs only those who want it', async () => {
  const { faults, fetch, answer } = place(['a', 'b', 'lacking', 'c']);
  faults.lacking = 'lacking';
  const all = [fetch('a'), fetch('b', 'lacking'), fetch('c')].map((one) =>
    one.catch((error) => error.message),
  );
  await answer();
  expect(await Promise.all(all)).toEqual([
    { objects: 1, bytes: 1 },
    `object: ${sha512(Buffer.from('lacking'))} is not at the master`,
    { objects: 1, bytes: 1 },
  ]);
});

test('no space here is told to everybody whose object did not fit', async () => {
  const { store, fetch, answer } = place(['a', 'bb', 'ccc']);
  store.capacity = 3;
  const all = Promise.allSettled([fetch('a'), fetch('bb'), fetch('ccc')]);
  await answer();
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
});

test('slots and budgets are given in order and come back after a failure', async () => {
  const slots = new Slots(2);
  let most = 0;
  let now = 0;
  const order: number[] = [];
  await Promise.allSettled(
    Array.from({ length: 6 }, (_, index) =>
      slots.use(async () => {
        most = Math.max(most, ++now);
        order.push(index);
        await new Promise((resolve) => setTimeout(resolve, 1));
        now--;
        if (index === 1) throw new Error('failed');
      }),
    ),
  );
  expect([most, order]).toEqual([2, [0, 1, 2, 3, 4, 5]]);
  const budget = new Budget(10);
  const got: string[] = [];
  await budget.take(0);
  budget.add(25);
  const small = budget.take(3).then(() => got.push('small'));
  const large = budget.take(30).then(() => got.push('large'));
  const none = budget.take(0).then(() => got.push('none'));
  budget.give(25);
  await small;
  expect(got).toEqual(['small']);
  budget.give(3);
  await large;
  expect(got).toEqual(['small', 'large']);
  budget.give(30);
  await none;
});
