import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { describeWithVectors, haveVectors, vectorsPath } from '../../test/vectors.ts';
import { formatDuration } from '../flags/values.ts';
import { formatBytes, formatSpan } from './format.ts';

test('spans', () => {
  const cases: [bigint, string][] = [
    [4_300_000n, '4.3ms'],
    [442_000n, '442µs'],
    [999_900_000n, '1e+03ms'],
    [7_199_000_000_000n, '1h59m59s'],
    [183_845_000_000_000n, '2d3h4m5s'],
  ];
  for (const [nanos, text] of cases) expect(formatSpan(nanos)).toBe(text);
});

describeWithVectors('vectors', () => {
  // The body of what is skipped runs too.
  const vectors = haveVectors
    ? JSON.parse(readFileSync(vectorsPath('misc', 'format.json'), 'utf8'))
    : undefined;
  test('bytes', () => {
    for (const one of vectors.bytes)
      expect([one.bytes, formatBytes(BigInt(one.bytes))]).toEqual([one.bytes, one['format.FormatBytes']]);
  });
  test('durations', () => {
    for (const one of vectors.durations) {
      const nanos = BigInt(one.nanoseconds);
      expect([one.nanoseconds, formatSpan(nanos), formatDuration(nanos)]).toEqual([
        one.nanoseconds,
        one['format.Duration'],
        one.String,
      ]);
    }
  });
});
