import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { walkDirectory } from './walk-directory.ts';

function withTree(work: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'walk-'));
  try {
    for (const name of ['a', 'b', 'c']) mkdirSync(join(directory, name));
    for (const name of ['a.txt', 'a/x', 'b/y', 'c/z']) writeFileSync(join(directory, name), '');
    symlinkSync('a', join(directory, 'link'));
    work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('depth first, names by their bytes, no link followed', () =>
  withTree((directory) =>
    expect(
      [...walkDirectory(Buffer.from(directory), ({ path }) => path === '/b')].map(({ path }) => path),
    ).toEqual(['/a', '/a/x', '/a.txt', '/c', '/c/z', '/link']),
  ));

test('what goes meanwhile does no harm', () =>
  withTree((directory) => {
    const paths: string[] = [];
    for (const { path } of walkDirectory(Buffer.from(directory))) {
      paths.push(path);
      if (path !== '/b') continue;
      rmSync(join(directory, 'b'), { recursive: true });
      rmSync(join(directory, 'link'));
    }
    expect(paths).toEqual(['/a', '/a/x', '/a.txt', '/b', '/c', '/c/z']);
  }));

test('a directory that is not there', () =>
  expect(() => [...walkDirectory(Buffer.from('/no/such/directory'))]).toThrow('ENOENT'));
