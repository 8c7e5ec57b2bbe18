import { expect, test } from 'bun:test';
import { sha512 } from '../../store/stores-fixture.ts';
import { SmallObjects } from './small-objects.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('keeps a copy of what has its hash, and no more than it may', () => {
  const small = new SmallObjects(3 * 1024);
  const data = bytes('abc');
  small.keep(sha512('abc'), data);
  data.fill(0);
  expect(small.get(sha512('abc'))).toEqual(bytes('abc'));
  small.keep(sha512('other'), bytes('not it'));
  expect(small.get(sha512('other'))).toBeUndefined();
  small.keep(sha512('x'.repeat(20_000)), bytes('x'.repeat(20_000)));
  expect(small.get(sha512('x'.repeat(20_000)))).toBeUndefined();
  for (let n = 0; n < 10; n++) small.keep(sha512(`${n}`), bytes(`${n}`));
  const kept = Array.from({ length: 10 }, (_, n) => `${n}`).filter((text) => small.get(sha512(text)));
  expect(kept).toEqual(['5', '6', '7', '8', '9']);
  expect(small.get(sha512('abc'))).toBeUndefined();
});
