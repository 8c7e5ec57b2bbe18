import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { describeWithVectors, vectorsPath } from '../../test/vectors.ts';
import { matchGlob } from './glob.ts';
import { checkDirectoryName, checkImageName } from './names.ts';
import { baseName, cleanPath, parentDirectory } from './paths.ts';
import { compareVersions } from './version-order.ts';

const load = (name: string) => JSON.parse(readFileSync(vectorsPath('misc', name), 'utf8'));

describe('names', () => {
  test('good ones', () => {
    for (const name of ['a', 'base/img.0', 'unicode é☃/naïve 😀.0', 'a b/c']) checkImageName(name);
    checkDirectoryName('.');
  });
  test('bad ones', () => {
    for (const name of [
      '',
      '.',
      '..',
      '/a',
      'a//b',
      'a/',
      './a',
      'a/../b',
      '../x',
      '.h',
      'a/.h',
      'a~',
      'a\nb',
      'a\0',
      'x'.repeat(256),
      '\udc80',
    ])
      expect(() => checkImageName(name)).toThrow('bad image name');
    expect(() => checkDirectoryName('..')).toThrow('bad directory name');
  });
  test('numbers order as numbers', () => {
    const names = ['img.10', 'img.9', 'b', 'a.1b', 'a'];
    expect(names.toSorted(compareVersions)).toEqual(['a', 'a.1b', 'b', 'img.9', 'img.10']);
  });
});

describeWithVectors('vectors', () => {
  test('version order', () => {
    const wrong = (load('verstr.json') as { left: string; right: string; less: boolean }[]).filter(
      ({ left, right, less }) => compareVersions(left, right) < 0 !== less,
    );
    expect(wrong).toEqual([]);
  });
  test('globs', () => {
    const wrong = (load('glob.json') as { pattern: string; name: string; match: boolean }[]).filter(
      ({ pattern, name, match }) => matchGlob(pattern, name) !== match,
    );
    expect(wrong).toEqual([]);
  });
  test('paths', () => {
    for (const { path, clean, dir, base } of load('paths.json') as Record<
      'path' | 'clean' | 'dir' | 'base',
      string
    >[]) {
      expect([path, cleanPath(path)]).toEqual([path, clean]);
      expect([path, parentDirectory(path)]).toEqual([path, dir]);
      expect([path, baseName(path)]).toEqual([path, base]);
    }
  });
});
