import { expect, test } from 'bun:test';
import type { BothTrees } from '../http/images/both-trees.ts';
import { makeImage } from '../store/stores-fixture.ts';
import { decodeImage } from '../wire/encoded-image.ts';
import { Comparisons } from './comparisons.ts';
import { differenceRow } from './show-differences.tsx';

/** Two trees, the second with `count` files more. */
async function trees(count: number): Promise<BothTrees> {
  const many = Array.from({ length: count }, (_, n) => `contents ${n}`);
  const of = async (contents: string[]) => ({ image: await decodeImage(makeImage(contents).bytes) });
  return { left: await of([]), right: await of(many), use: () => undefined } as unknown as BothTrees;
}

test('pages come from one scan, and are those of a scan each', async () => {
  let opened = 0;
  const both = await trees(120);
  const open = async () => {
    opened++;
    return both;
  };
  const kept = new Comparisons(differenceRow);
  const none = new Comparisons(differenceRow, 0);
  for (let offset = 0; offset <= 150; offset += 50)
    expect(await kept.page('a-b', offset, 50, open)).toEqual(await none.page('a-b', offset, 50, open));
  expect((await kept.page('a-b', 100, 50, open)).shown.length).toBe(20);
  // One scan of its own, four of the other's.
  expect(opened).toBe(5);
  await kept.page('a-c', 0, 50, open);
  expect(opened).toBe(6);
});

test('what does not fit is scanned again, and what came first makes room', async () => {
  let opened = 0;
  const open = async () => {
    opened++;
    return trees(100);
  };
  // Room for about seventy rows.
  const comparisons = new Comparisons(differenceRow, 15_000);
  const page = async (key: string, offset: number) => {
    const before = opened;
    const { shown, added } = await comparisons.page(key, offset, 20, open);
    expect([shown.length, added]).toEqual([20, 100]);
    return opened - before;
  };
  expect(await page('a', 0)).toBe(1);
  expect(await page('a', 20)).toBe(0);
  expect(await page('a', 80)).toBe(1);
  expect(await page('b', 0)).toBe(1);
  expect(await page('b', 20)).toBe(0);
  expect(await page('a', 0)).toBe(1);
});
