import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addAll, sha512, withObjectStore } from './object-store-fixture.ts';
import { type Move, renameMany } from './rename-many.ts';
import { testDirectory } from './test-directory.ts';

let root: string;
beforeAll(() => {
  root = testDirectory('rename-many-');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

let number = 0;
/** New files that wait to be renamed below a directory of their own. */
function waiting(...targets: string[]): Move[] {
  const directory = join(root, String(number++));
  mkdirSync(directory);
  return targets.map((target, index) => {
    const from = join(directory, `.${index}`);
    writeFileSync(from, target);
    return [from, join(directory, target)] as const;
  });
}

test('directories are made where they are missing, and told', async () => {
  const moves = waiting('plain', 'aa/bb/1', 'aa/bb/2', 'aa/cc/3');
  expect(await renameMany(moves, 0o750)).toEqual({ placed: 4, made: [1, 3] });
  for (const [from, to] of moves) {
    expect(existsSync(from)).toBe(false);
    expect(to.endsWith(readFileSync(to, 'utf8'))).toBe(true);
  }
  expect(statSync(join(moves[1]?.[1] ?? '', '..')).mode & 0o777).toBe(0o750 & ~process.umask());
});

test('the first that fails ends it: what came before is in place, what comes after waits', async () => {
  const moves = waiting('first', 'second', 'third');
  rmSync(moves[1]?.[0] ?? '');
  const { placed, failure } = await renameMany(moves, 0o755);
  expect(placed).toBe(1);
  expect(failure).toMatchObject({ code: 'ENOENT', syscall: 'rename' });
  expect(existsSync(moves[0]?.[1] ?? '')).toBe(true);
  expect(existsSync(moves[2]?.[0] ?? '')).toBe(true);
});

test('several groups at once', async () => {
  const groups = Array.from({ length: 20 }, (_, group) => waiting(`x${group}/y/1`, `x${group}/y/2`));
  const answers = await Promise.all(groups.map((moves) => renameMany(moves, 0o755)));
  for (const answer of answers) expect(answer).toEqual({ placed: 2, made: [0] });
});

describe('groups of objects', () => {
  const contents = Array.from({ length: 100 }, (_, index) => `content ${index}`);

  test('are in place and known, also when directories have gone meanwhile', async () => {
    await withObjectStore(async ({ store, directory }) => {
      const hashes = await addAll(store, ...contents);
      expect(hashes).toEqual(contents.map(sha512));
      const first = hashes[0] as string;
      const again = contents.map((content) => `${content} again`);
      for (const hash of again.map(sha512))
        rmSync(join(directory, hash.slice(0, 2)), { recursive: true, force: true });
      const more = await addAll(store, ...again);
      for (const [index, hash] of more.entries())
        expect(readFileSync(store.pathOf(hash), 'utf8')).toBe(again[index] as string);
      expect(store.pathOf(first)).toContain(first.slice(0, 2));
    });
  });

  test('one that cannot be put in place fails its group; those before it are known, those after it leave nothing', async () => {
    await withObjectStore(async ({ store, directory }) => {
      const hashes = contents.map(sha512);
      const bad = hashes[60] as string;
      // A directory of that name is in the way.
      mkdirSync(store.pathOf(bad), { recursive: true });
      const upload = store.upload();
      for (const content of contents) {
        const data = Buffer.from(content);
        await upload.put({ data, length: data.length, expected: undefined });
      }
      await expect(upload.commit()).rejects.toMatchObject({
        code: expect.stringMatching(/EISDIR|ENOTEMPTY|EEXIST/),
      });
      for (const hash of hashes.slice(0, 60)) expect(store.locateHash(hash)).not.toBe(0);
      for (const hash of hashes.slice(61)) {
        expect(store.locateHash(hash)).toBe(0);
        expect(existsSync(store.pathOf(hash))).toBe(false);
      }
      upload.close();
      const left = [...new Bun.Glob('**/*').scanSync({ cwd: directory, dot: true, onlyFiles: true })];
      expect(left).toHaveLength(60);
    });
  });
});
