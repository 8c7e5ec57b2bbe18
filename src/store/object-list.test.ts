/** The list of object files that a thread makes. */
import { expect, test } from 'bun:test';
import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HASH_BYTES, hashText, objectPath } from './object-hash.ts';
import { ObjectList } from './object-list.ts';
import { sha512 } from './stores-fixture.ts';
import { testDirectory } from './test-directory.ts';

async function withList(
  make: (root: string, write: (contents: string) => string) => void,
  run: (list: ObjectList, root: string) => Promise<void>,
): Promise<void> {
  const root = testDirectory('object-list-');
  try {
    make(root, (contents) => {
      const path = join(root, objectPath(sha512(contents)));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, contents);
      return path;
    });
    const firsts = readdirSync(root).filter((name) => !name.startsWith('.'));
    const list = new ObjectList(root, firsts);
    await run(list, root);
    await list.end();
    expect(await list.next()).toBeUndefined();
    const open = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return ''; // The directory that is being listed.
      }
    });
    expect(open.filter((path) => path.startsWith(root))).toEqual([]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function everything(list: ObjectList) {
  const sizes = new Map<string, number>();
  const rest = { leaves: [] as number[], strays: [] as string[], unread: [] as string[], pieces: 0 };
  for (let listed = await list.next(); listed; listed = await list.next()) {
    for (let index = 0; index < listed.count; index++)
      sizes.set(hashText(listed.hashes, index * HASH_BYTES), listed.sizes[index] as number);
    rest.leaves.push(...listed.leaves);
    rest.strays.push(...listed.strays);
    rest.unread.push(...listed.unread);
    rest.pieces++;
  }
  for (const found of [rest.strays, rest.unread]) found.sort();
  return { sizes, ...rest };
}

test('all files with their sizes, more than one piece holds', () => {
  const count = 9000;
  return withList(
    (_root, write) => {
      for (let index = 0; index < count; index++) write('x'.repeat(index % 7) + index);
    },
    async (list) => {
      const { sizes, leaves, strays, unread, pieces } = await everything(list);
      const wanted = new Map<string, number>();
      for (let index = 0; index < count; index++) {
        const contents = 'x'.repeat(index % 7) + index;
        wanted.set(sha512(contents), contents.length);
      }
      expect(sizes).toEqual(wanted);
      const directories = new Set([...wanted.keys()].map((hash) => Number.parseInt(hash.slice(0, 4), 16)));
      expect(new Set(leaves)).toEqual(directories);
      expect(leaves).toHaveLength(directories.size);
      expect([strays, unread]).toEqual([[], []]);
      expect(pieces).toBeGreaterThan(2);
    },
  );
});

test('more files in one directory than a piece holds', () => {
  const names = Array.from({ length: 6000 }, (_, index) => index.toString(16).padStart(124, '0'));
  return withList(
    (root) => {
      mkdirSync(join(root, '12/34'), { recursive: true });
      for (const name of names) writeFileSync(join(root, '12/34', name), 'x');
    },
    async (list) => {
      const { sizes, leaves } = await everything(list);
      expect([...sizes.keys()].sort()).toEqual(names.map((name) => `1234${name}`));
      expect(leaves).toEqual([0x1234]);
    },
  );
});

test('strangers, what is no file, and what is no directory', () => {
  const rest = 'c'.repeat(124);
  return withList(
    (root, write) => {
      const path = write('good');
      writeFileSync(`${path}~`, 'left over');
      mkdirSync(join(root, 'aa/bb', rest), { recursive: true });
      symlinkSync('/etc/passwd', join(root, 'aa/bb', 'd'.repeat(124)));
      writeFileSync(join(root, 'aa/bb', 'C'.repeat(124)), 'upper case');
      writeFileSync(join(root, 'aa/bb', 'c'.repeat(123)), 'too short');
      writeFileSync(join(root, 'aa/bb', '.hidden'), '');
      writeFileSync(join(root, 'aa/cc'), 'a file');
      mkdirSync(join(root, 'aa/zz'));
      writeFileSync(join(root, 'ab'), 'a file');
    },
    async (list) => {
      const hash = sha512('good');
      const { sizes, strays, unread } = await everything(list);
      expect(sizes).toEqual(
        new Map([
          [hash, 4],
          [`aabb${rest}`, -1],
          [`aabb${'d'.repeat(124)}`, -1],
        ]),
      );
      const wanted = [
        `aa/bb/${'C'.repeat(124)}`,
        `aa/bb/${'c'.repeat(123)}`,
        'aa/zz',
        `${objectPath(hash)}~`,
      ];
      expect(strays).toEqual(wanted.sort());
      expect(unread).toEqual(['aa/cc', 'ab']);
    },
  );
});

test('ended in the middle', () =>
  withList(
    (_root, write) => {
      for (let index = 0; index < 5000; index++) write(`${index}`);
    },
    async (list) => {
      expect((await list.next())?.count).toBeGreaterThan(0);
    },
  ));
