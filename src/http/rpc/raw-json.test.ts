import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { isArrayText, rawItems, rawMembers } from './raw-json.ts';

describe('taking JSON apart', () => {
  test('members keep their own text', () => {
    const members = rawMembers(' {"a" : 18446744073709551615, "b":{"c":"}\\"]"} , "\\u0064": [1, [2]]} ');
    expect([...members]).toEqual([
      ['a', '18446744073709551615'],
      ['b', '{"c":"}\\"]"}'],
      ['d', '[1, [2]]'],
    ]);
  });
  test('items keep their own text', () => {
    expect(rawItems('[ 1 ,"a,b", {"x":[]} ,null]')).toEqual(['1', '"a,b"', '{"x":[]}', 'null']);
    expect(rawItems('[]')).toEqual([]);
    expect(rawMembers('{}').size).toBe(0);
  });
  test('a backslash at the end of a string', () => {
    expect(rawItems('["\\\\", "\\\\\\""]')).toEqual(['"\\\\"', '"\\\\\\""']);
  });
  for (const text of [
    '',
    '{',
    '[',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '[1,]',
    '[1 2]',
    '{"a":1} x',
    '["',
    '{a:1}',
    '[[1]',
  ])
    test(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => (text.startsWith('[') ? rawItems(text) : rawMembers(text))).toThrow(SyntaxError);
    });
  test('agrees with JSON.parse on any value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(4), (value, indent) => {
        const text = JSON.stringify([value, { value }], null, indent);
        const items = rawItems(text).map((item) => JSON.parse(item) as unknown);
        expect(items).toEqual(JSON.parse(text));
        expect(isArrayText(text)).toBe(true);
        const members = rawMembers(JSON.stringify({ value }, null, indent));
        expect(JSON.parse(members.get('value') ?? '')).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
  test('never hangs or crashes on any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\1 a') }), (text) => {
        for (const take of [rawItems, rawMembers])
          try {
            take(text);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(SyntaxError);
          }
      }),
      { numRuns: 2000 },
    );
  });
});
