import { expect, test } from 'bun:test';
import { decimalOrder } from './decimal-order.ts';

test.each([
  [[]],
  [[0n, 1n, 10n, 100n, 2n, 12n, 120n, 119n]],
  [[99_999_999_999_999n, 9n, 99n, 10_000_000_000_000n, 1n, 98_999_999_999_999n]],
  [[5n, 2n ** 64n - 1n, 123_456_789_012_345n, 40n]],
  [[-1, 3, -20, 10]],
  [Array.from({ length: 5000 }, (_, index) => BigInt(index * index * 977))],
])('the order is that of the texts: case %#', (numbers: (number | bigint)[]) => {
  expect([...decimalOrder(numbers, numbers.length)]).toEqual(numbers.map(String).sort());
});
