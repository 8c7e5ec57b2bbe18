import { describe, expect, test } from 'bun:test';
import { select } from './conditional.ts';

const ETAG = '"abc"';
const SIZE = 100;

const cases: [string, Record<string, string>, { status: number; start?: number; end?: number }][] = [
  ['nothing asked', {}, { status: 200, start: 0, end: 100 }],
  ['first bytes', { range: 'bytes=0-9' }, { status: 206, start: 0, end: 10 }],
  ['from the middle on', { range: 'bytes=90-' }, { status: 206, start: 90, end: 100 }],
  ['longer than there is', { range: 'bytes=90-1000' }, { status: 206, start: 90, end: 100 }],
  ['suffix', { range: 'bytes=-10' }, { status: 206, start: 90, end: 100 }],
  ['suffix longer than all', { range: 'bytes=-1000' }, { status: 206, start: 0, end: 100 }],
  ['empty suffix', { range: 'bytes=-0' }, { status: 416 }],
  ['behind the end', { range: 'bytes=100-' }, { status: 416 }],
  ['upside down is ignored', { range: 'bytes=9-0' }, { status: 200 }],
  ['several ranges are ignored', { range: 'bytes=0-1,5-6' }, { status: 200 }],
  ['another unit is ignored', { range: 'lines=0-1' }, { status: 200 }],
  ['no range at all is ignored', { range: 'bytes=-' }, { status: 200 }],
  ['If-Range matches', { range: 'bytes=0-0', 'if-range': ETAG }, { status: 206, start: 0, end: 1 }],
  ['If-Range differs', { range: 'bytes=0-0', 'if-range': '"x"' }, { status: 200 }],
  ['If-Range is weak', { range: 'bytes=0-0', 'if-range': `W/${ETAG}` }, { status: 200 }],
  [
    'If-Range is a date',
    { range: 'bytes=0-0', 'if-range': 'Tue, 24 Nov 2026 02:57:10 GMT' },
    { status: 200 },
  ],
  ['If-None-Match', { 'if-none-match': `"x", ${ETAG}` }, { status: 304 }],
  ['If-None-Match compares weakly', { 'if-none-match': `W/${ETAG}` }, { status: 304 }],
  ['If-None-Match any', { 'if-none-match': '*' }, { status: 304 }],
  ['If-None-Match another', { 'if-none-match': '"x"' }, { status: 200 }],
  ['If-Match', { 'if-match': ETAG }, { status: 200 }],
  ['If-Match compares strongly', { 'if-match': `W/${ETAG}` }, { status: 412 }],
  ['If-Match another', { 'if-match': '"x"' }, { status: 412 }],
  ['If-Match comes first', { 'if-match': '"x"', 'if-none-match': ETAG }, { status: 412 }],
];

describe('conditional and range requests', () => {
  for (const [name, headers, expected] of cases)
    test(name, () => {
      const selected = select(new Headers(headers), ETAG, SIZE);
      expect(selected).toMatchObject(expected);
    });

  test('an empty representation has no ranges', () => {
    expect(select(new Headers({ range: 'bytes=0-' }), ETAG, 0).status).toBe(416);
  });
});
