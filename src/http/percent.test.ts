import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { percentDecode, percentDecodeLoosely, percentEncode } from './percent.ts';

describe('percent-encoding', () => {
  test('what is encoded comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => percentDecode(percentEncode(name)) === name),
    );
  });
  test('bytes that are not UTF-8 survive', () => {
    const name = percentDecode('caf%E9');
    expect(name).toBe('caf\udce9');
    expect(percentEncode(name)).toBe('caf%E9');
  });
  test('slashes stay, everything special is escaped', () => {
    expect(percentEncode('a b/ü?#%<"')).toBe('a%20b/%C3%BC%3F%23%25%3C%22');
  });
  test('broken escapes are refused, or taken as they are', () => {
    expect(() => percentDecode('a%2')).toThrow('percent-encoding');
    expect(percentDecodeLoosely('a%2')).toBe('a%2');
    expect(percentDecodeLoosely('a%20b')).toBe('a b');
  });
});
