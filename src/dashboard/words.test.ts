import { expect, test } from 'bun:test';
import { visible, visibleLine } from './words.ts';

test.each([
  ['base/img.0', 'base/img.0'],
  ['שלום/é😀', 'שלום/é😀'],
  ['a\u202eb\u2066c\u200b', 'a\\u202eb\\u2066c\\u200b'],
  ['\udcff\udc80', '\\xff\\x80'],
  ['\n\t\u007f\u0085', '\\x0a\\x09\\x7f\\x85'],
  ['\ud800', '\\ud800'],
])('a name, all of it to be seen: %j', (name, shown) => {
  expect(visible(name)).toBe(shown);
});

test('a line keeps its tabs and loses its colours', () => {
  expect(visibleLine('\u001b[1;32mok\u001b[0m\tdone\u202e\r')).toBe('ok\tdone\\u202e');
});
