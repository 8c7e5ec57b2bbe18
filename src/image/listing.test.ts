import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { describeWithVectors, vectorsPath } from '../../test/vectors.ts';
import { decodeOnce } from '../wire/gob/decoder.ts';
import { Image } from '../wire/messages/image.ts';
import { compileFilter, parseFilter } from './filter.ts';
import { listingLines } from './listing.ts';
import { modeText } from './mode.ts';
import { UTC } from './zone.ts';

describe('filters', () => {
  test('anchored at the start only', () => {
    const filtered = compileFilter(parseFilter('# c\n\n/tmp/.*\n/var/log').FilterLines);
    expect(['/tmp/x', '/var/logs', '/a/tmp/x', '/tmp'].map(filtered)).toEqual([true, true, false, false]);
  });
  test('inverted', () => expect(['/a', '/b'].map(compileFilter(['!', '/a']))).toEqual([false, true]));
  test('bad expression', () => expect(() => compileFilter(['/bad('])).toThrow('missing closing )'));
});

describeWithVectors('vectors', () => {
  test('modes', () => {
    for (const { mode, text, string } of JSON.parse(readFileSync(vectorsPath('misc', 'modes.json'), 'utf8')))
      expect([mode, modeText(Number(mode))]).toEqual([mode, text ?? string]);
  });
  test('listings of stored images', async () => {
    const manifest = JSON.parse(readFileSync(vectorsPath('storage', 'manifest.json'), 'utf8'));
    const archive = new Bun.Archive(await Bun.file(vectorsPath('storage', 'storage.tar.gz')).bytes());
    const files = await archive.files();
    let compared = 0;
    const entries: [string, { show: string }][] = Array.isArray(manifest.images)
      ? manifest.images.map((one: { name: string; show: string }) => [one.name, one])
      : Object.entries(manifest.images);
    for (const [name, { show }] of entries) {
      const file = files.get(`img/${name}`);
      const { value } = decodeOnce(Image, new Uint8Array(await (file as File).arrayBuffer()));
      const listing = [...listingLines(value.FileSystem as never, { zone: UTC })].join('\n');
      expect(`${listing}\n`).toBe(show);
      compared++;
    }
    expect(compared).toBe(4);
  });
});
