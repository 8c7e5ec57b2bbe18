import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { JsonEnd } from './json-value.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');

/** Where the value ends when it comes in pieces of one size. */
function endOf(text: string, piece: number): number {
  const end = new JsonEnd();
  const all = bytes(text);
  for (let at = 0; at < all.length; at += piece) {
    const used = end.scan(all.subarray(at, at + piece));
    if (used >= 0) return at + used;
  }
  return -1;
}

test.each([
  ['{}x', 2],
  [' {"a":[1,{"b":"}"}]}{', 20],
  ['"a\\"b"c', 6],
  ['"\\\\"x', 4],
  ['12 3', 2],
  ['null\nx', 4],
  ['garbage\nx', 7],
  ['[1,2', -1],
  ['"abc', -1],
  ['   ', -1],
  ['}{', 1],
])('%s', (text, end) => {
  for (const piece of [1, 2, 100]) expect(endOf(text, piece)).toBe(end);
});

test('ends where any object, array or string ends', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), fc.integer({ min: 1, max: 9 }), (value, rest, piece) => {
      if (value === null || (typeof value !== 'object' && typeof value !== 'string')) return;
      const text = JSON.stringify(value);
      expect(endOf(text + rest, piece)).toBe(bytes(text).length);
    }),
  );
});
