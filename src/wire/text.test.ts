import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { decodeText, encodeText } from './text.ts';

describe('text', () => {
  const cases: [string, string][] = [
    ['', ''],
    ['61', 'a'],
    ['efbbbf61', '\ufeffa'],
    ['c3a9', 'é'],
    ['f09f9880', '😀'],
    ['f09f988080', '😀\udc80'],
    ['ff61fe', '\udcffa\udcfe'],
    ['c080', '\udcc0\udc80'],
    ['eda080', '\udced\udca0\udc80'],
    ['edb280', '\udced\udcb2\udc80'],
    ['e282', '\udce2\udc82'],
    ['f4908080', '\udcf4\udc90\udc80\udc80'],
    ['efbfbdff', '\ufffd\udcff'],
  ];
  for (const [hex, text] of cases)
    test(hex || 'empty', () => {
      expect(decodeText(Buffer.from(hex, 'hex'))).toBe(text);
      expect(Buffer.from(encodeText(text)).toString('hex')).toBe(hex);
    });
  test('any bytes come back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(Buffer.from(encodeText(decodeText(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
  });
  test('valid text is plain UTF-8, also inside other bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
        const bytes = Buffer.from(`x${text}y`, 'utf8');
        expect(decodeText(bytes, 1, bytes.length - 1)).toBe(text);
        expect(Buffer.from(encodeText(text))).toEqual(Buffer.from(text, 'utf8'));
      }),
    );
  });
  test('a surrogate that is no escaped byte is replaced', () => {
    expect(Buffer.from(encodeText('a\ud800b')).toString('hex')).toBe('61efbfbd62');
  });
  test('a million broken bytes take no long', () => {
    const start = performance.now();
    decodeText(new Uint8Array(1_000_000).fill(0xff));
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
