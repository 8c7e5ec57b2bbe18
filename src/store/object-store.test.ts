import { describe, expect, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { realDisk } from './disk.ts';
import { objectPath } from './object-hash.ts';
import { addAll, type Fixture, sha512, withObjectStore } from './object-store-fixture.ts';
import { codeOf } from './stores-fixture.ts';

const temporaries = ({ directory }: Fixture) => readdirSync(join(directory, '.tmp'));
const content = ({ store }: Fixture, hash: string) => {
  const object = store.open(hash);
  try {
    return readFileSync(object.path, 'utf8');
  } finally {
    object.close();
  }
};
async function* chunked(data: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
const BIG = Buffer.alloc(3_000_000, 'big object ');

describe('an upload', () => {
  test('is staged, then committed under the name of its hash, with the modes of the original', () =>
    withObjectStore(async (fixture) => {
      const { store, directory } = fixture;
      const upload = store.upload();
      const { hash, added } = await upload.put({
        length: 5,
        expected: sha512('hello'),
        data: Buffer.from('hello'),
      });
      expect([hash, added]).toEqual([sha512('hello'), true]);
      expect(store.size(hash)).toBe(0);
      expect(readFileSync(upload.open(hash).path, 'utf8')).toBe('hello');
      await upload.commit();
      upload.close();
      expect(store.size(hash)).toBe(5);
      const path = join(directory, objectPath(hash));
      expect(readFileSync(path, 'utf8')).toBe('hello');
      expect((statSync(path).mode & 0o777).toString(8)).toBe('640');
      expect((statSync(dirname(path)).mode & 0o777).toString(8)).toBe('700');
      expect(temporaries(fixture)).toEqual([]);
    }));

  test('of many commits as a group; again it adds nothing', () =>
    withObjectStore(async (fixture) => {
      const contents = Array.from({ length: 300 }, (_, index) => `object ${index}`);
      const hashes = await addAll(fixture.store, ...contents);
      hashes.forEach((hash, index) => {
        expect(content(fixture, hash)).toBe(contents[index]!);
      });
      const upload = fixture.store.upload();
      for (const text of contents) {
        const data = Buffer.from(text);
        expect((await upload.put({ length: data.length, expected: undefined, data })).added).toBe(false);
      }
      await upload.commit();
      upload.close();
      expect(fixture.store.totals()).toMatchObject({ objects: 300, unreferencedObjects: 300 });
    }));

  test.each([
    ['in chunks', undefined, 65_536],
    ['in chunks, with its hash', sha512(BIG), 100_000],
    ['in one huge chunk', sha512(BIG), BIG.length],
    ['of unknown length', undefined, 65_536, undefined],
    ['of unknown length, with its hash', sha512(BIG), 65_536, undefined],
  ])('of a big object %s', (_what, expected, size, ...length) =>
    withObjectStore(async (fixture) => {
      for (const added of [true, false]) {
        const upload = fixture.store.upload();
        const known = length.length === 0 ? BIG.length : undefined;
        const result = await upload.put({ length: known, expected, data: chunked(BIG, size) });
        expect(result).toEqual({ hash: sha512(BIG), added });
        await upload.commit();
        upload.close();
        expect(readFileSync(fixture.store.pathOf(result.hash)).equals(BIG)).toBe(true);
        expect(temporaries(fixture)).toEqual([]);
      }
    }),
  );

  test.each<
    [
      string,
      { length: number; expected?: string; data: () => Uint8Array | AsyncIterable<Uint8Array> },
      string,
      string,
    ]
  >([
    [
      'nothing',
      { length: 0, data: () => Buffer.alloc(0) },
      'INVALID_REQUEST',
      'zero length object cannot be added',
    ],
    [
      'less than announced',
      { length: 10, data: () => Buffer.from('short') },
      'INVALID_REQUEST',
      'unexpected EOF',
    ],
    [
      'less in chunks',
      { length: 3_000_001, data: () => chunked(BIG, 9999) },
      'INVALID_REQUEST',
      'unexpected EOF',
    ],
    [
      'more in chunks',
      { length: 2_999_999, data: () => chunked(BIG, 9999) },
      'INVALID_REQUEST',
      'more data than announced',
    ],
    [
      'another hash',
      { length: 5, expected: sha512('x'), data: () => Buffer.from('hello') },
      'HASH_MISMATCH',
      `hash mismatch. Computed=${sha512('hello')}, expected=${sha512('x')}`,
    ],
    [
      'another hash in chunks',
      { length: BIG.length, expected: sha512('x'), data: () => chunked(BIG, 99_999) },
      'HASH_MISMATCH',
      `hash mismatch. Computed=${sha512(BIG)}, expected=${sha512('x')}`,
    ],
  ])('of %s is refused and leaves nothing', (_what, { length, expected, data }, code, message) =>
    withObjectStore(async (fixture) => {
      const upload = fixture.store.upload();
      const put = (async () => upload.put({ length, expected, data: data() }))();
      expect(await codeOf(put)).toBe(code);
      expect(await put.catch((thrown) => thrown.message)).toBe(message);
      await upload.commit();
      upload.close();
      expect(fixture.store.totals().objects).toBe(0);
      expect(temporaries(fixture)).toEqual([]);
    }),
  );

  test('not committed is dropped', () =>
    withObjectStore(async (fixture) => {
      const upload = fixture.store.upload();
      const { hash } = await upload.put({ length: 5, expected: undefined, data: Buffer.from('hello') });
      upload.close();
      expect(fixture.store.size(hash)).toBe(0);
      expect(temporaries(fixture)).toEqual([]);
    }));

  test('of the same object by many at once', () =>
    withObjectStore(async (fixture) => {
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const upload = fixture.store.upload();
          const data = index % 2 ? BIG : chunked(BIG, 50_000);
          await upload.put({ length: BIG.length, expected: sha512(BIG), data });
          await upload.commit();
          upload.close();
        }),
      );
      expect(readFileSync(fixture.store.pathOf(sha512(BIG))).equals(BIG)).toBe(true);
      expect(fixture.store.totals()).toMatchObject({ objects: 1, bytes: BIG.length });
      expect(temporaries(fixture)).toEqual([]);
    }));
});

describe('a damaged object', () => {
  const damages: [string, (path: string) => void][] = [
    ['has other contents', (path) => writeFileSync(path, Buffer.alloc(statSync(path).size, 'x'))],
    ['is cut short', (path) => truncateSync(path, 3)],
    ['is empty', (path) => truncateSync(path, 0)],
    ['is longer', (path) => writeFileSync(path, 'x', { flag: 'a' })],
    ['is gone', (path) => rmSync(path)],
  ];
  for (const small of [true, false])
    test.each(damages)(`that %s is healed by an upload (${small ? 'whole' : 'in chunks'})`, (_what, damage) =>
      withObjectStore(async (fixture) => {
        const { store } = fixture;
        const data = small ? Buffer.from('small object') : BIG;
        const [hash] = (await addAll(store, data)) as [string];
        damage(store.pathOf(hash));
        const upload = store.upload();
        const source = small ? data : chunked(data, 70_000);
        expect(await upload.put({ length: data.length, expected: hash, data: source })).toEqual({
          hash,
          added: true,
        });
        await upload.commit();
        upload.close();
        expect(readFileSync(store.pathOf(hash)).equals(data)).toBe(true);
        expect(store.totals()).toMatchObject({ objects: 1, bytes: data.length });
        expect(fixture.reporter.damages()).toEqual([]);
      }),
    );

  test('of another length is quarantined when it is opened, never served', () =>
    withObjectStore(async (fixture) => {
      const { store, directory, reporter } = fixture;
      const [hash] = (await addAll(store, 'some contents')) as [string];
      truncateSync(store.pathOf(hash), 4);
      expect(await codeOf(() => store.open(hash))).toBe('CORRUPT');
      expect(await codeOf(() => store.open(hash))).toBe('OBJECT_NOT_FOUND');
      expect(store.size(hash)).toBe(0);
      expect(readdirSync(join(directory, '.quarantine'))).toHaveLength(1);
      expect(reporter.damages()).toMatchObject([{ kind: 'object', what: hash }]);
      await addAll(store, 'some contents');
      expect(content(fixture, hash)).toBe('some contents');
    }));
});

test('objects put into the directory by hand are found; strangers are not', () =>
  withObjectStore(async ({ store }) => {
    const hash = sha512('by hand');
    mkdirSync(dirname(store.pathOf(hash)), { recursive: true });
    writeFileSync(`${store.pathOf(hash)}~`, 'by ha');
    expect(store.size(hash)).toBe(0);
    writeFileSync(store.pathOf(hash), 'by hand');
    expect(store.sizes([hash, sha512('other')])).toEqual([7, 0]);
    mkdirSync(store.pathOf(sha512('directory')), { recursive: true });
    expect(store.size(sha512('directory'))).toBe(0);
    expect(await codeOf(() => store.size('../../../etc/passwd'))).toBe('INVALID_REQUEST');
  }));

describe('collection', () => {
  test('takes the oldest first and no more than asked for', () =>
    withObjectStore(
      async ({ store, clock }) => {
        const hashes: string[] = [];
        for (const text of ['one', 'two', 'three', 'four']) {
          hashes.push(...(await addAll(store, text)));
          clock.now += 1000;
        }
        // Uploaded again: moves to the young end.
        await addAll(store, 'one');
        expect([...store.unreferenced()].map(({ hash }) => hash)).toEqual(
          [1, 2, 3, 0].map((index) => hashes[index]!),
        );
        const dry = await store.collect((count) => count < 2, { dryRun: true });
        expect(dry).toEqual({ count: 2, bytes: 8, deleted: [hashes[1]!, hashes[2]!] });
        expect(store.totals().objects).toBe(4);
        expect(await store.collect((count) => count < 2)).toEqual(dry);
        expect(store.sizes(hashes)).toEqual([3, 0, 0, 4]);
        expect(existsSync(store.pathOf(hashes[1]!))).toBe(false);
      },
      { graceMs: 0 },
    ));

  test('leaves uploads alone until their grace is over, and what somebody just asked about', () =>
    withObjectStore(
      async ({ store, clock }) => {
        const upload = store.upload();
        const { hash } = await upload.put({ length: 5, expected: undefined, data: Buffer.from('hello') });
        await upload.commit();
        clock.now += 1_000_000;
        expect((await store.collect(() => true)).count).toBe(0);
        upload.close();
        clock.now += 59_000;
        expect((await store.collect(() => true)).count).toBe(0);
        clock.now += 2000;
        store.sizes([hash]);
        expect((await store.collect(() => true)).count).toBe(0);
        const held = store.upload();
        held.hold([hash]);
        clock.now += 100_000;
        expect((await store.collect(() => true)).count).toBe(0);
        held.close();
        clock.now += 100_000;
        expect((await store.collect(() => true)).deleted).toEqual([hash]);
      },
      { graceMs: 60_000 },
    ));

  test('does nothing before all images are known', () =>
    withObjectStore(
      async ({ store }) => {
        await addAll(store, 'hello');
        expect((await store.collect(() => true)).count).toBe(0);
      },
      { graceMs: 0, ready: () => false },
    ));

  test('beside uploads of the same objects never takes one that was acknowledged', () =>
    withObjectStore(
      async ({ store }) => {
        let stop = false;
        const collector = (async () => {
          while (!stop) {
            await store.collect(() => true);
            await Bun.sleep(0);
          }
        })();
        await Promise.all(
          Array.from({ length: 4 }, async () => {
            for (let round = 0; round < 30; round++) {
              const upload = store.upload();
              const results: string[] = [];
              for (let index = 0; index < 10; index++) {
                const data = Buffer.from(`shared ${index}`);
                results.push((await upload.put({ length: data.length, expected: undefined, data })).hash);
              }
              await upload.commit();
              for (const hash of results) store.open(hash).close();
              upload.close();
            }
          }),
        );
        stop = true;
        await collector;
      },
      { graceMs: 0 },
    ));
});

test('an upload of an object that is being collected waits until it is gone, and brings it back', () => {
  const removing = Promise.withResolvers<void>();
  const removed = Promise.withResolvers<void>();
  return withObjectStore(
    async ({ store, clock }) => {
      const [hash] = (await addAll(store, 'wanted again')) as [string];
      clock.now += 10_000;
      const collecting = store.collect(() => true);
      await removing.promise;
      expect(store.size(hash)).toBe(0);
      const uploading = addAll(store, 'wanted again');
      // Not before: the file that is still to go would be the new one.
      const first = await Promise.race([uploading.then(() => 'uploaded'), Bun.sleep(50).then(() => 'waits')]);
      expect(first).toBe('waits');
      removed.resolve();
      expect((await collecting).deleted).toEqual([hash]);
      await uploading;
      expect(readFileSync(store.pathOf(hash), 'utf8')).toBe('wanted again');
      expect(store.totals().objects).toBe(1);
    },
    {
      graceMs: 0,
      disk: {
        ...realDisk,
        async remove(path) {
          removing.resolve();
          await removed.promise;
          await realDisk.remove(path);
        },
      },
    },
  );
});

test('an object that cannot be collected is there again', () =>
  withObjectStore(
    async ({ store, clock }) => {
      const hashes = await addAll(store, 'one', 'two');
      clock.now += 10_000;
      await expect(store.collect(() => true)).rejects.toThrow('error cleaning up');
      for (const hash of hashes) expect(store.size(hash)).toBe(3);
      expect(store.totals()).toMatchObject({ objects: 2, unreferencedObjects: 2, unreferencedBytes: 6 });
    },
    {
      graceMs: 0,
      disk: {
        ...realDisk,
        remove: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })),
      },
    },
  ));

describe('space', () => {
  const disk = (state: { free: number }) => ({ space: () => ({ capacity: 1000, free: state.free }) });

  test('is refused before the disk is full, counting what is announced', () =>
    withObjectStore(
      async ({ store }) => {
        const upload = store.upload();
        const put = (length: number, data: Uint8Array | AsyncIterable<Uint8Array>) =>
          upload.put({ length, expected: undefined, data });
        expect(await codeOf(() => put(901, Buffer.alloc(901)))).toBe('NO_SPACE');
        const { promise: rest, resolve } = Promise.withResolvers<void>();
        const slow = async function* () {
          yield Buffer.alloc(100);
          await rest;
          yield Buffer.alloc(400);
        };
        const first = put(500, slow());
        expect(await codeOf(() => put(401, Buffer.alloc(401)))).toBe('NO_SPACE');
        expect(await codeOf(() => put(400, Buffer.alloc(400)))).toBe('no error');
        resolve();
        await first;
        upload.close();
      },
      { disk: disk({ free: 1000 }), policy: { minFreeBytes: 100, startPercent: 99 } },
    ));

  test('what is written counts once, by the file system', () => {
    const state = { free: 1000 };
    return withObjectStore(
      async ({ store, clock }) => {
        const upload = store.upload();
        const { promise: rest, resolve } = Promise.withResolvers<void>();
        const written = Promise.withResolvers<void>();
        const slow = async function* () {
          yield Buffer.alloc(400, 1);
          written.resolve();
          await rest;
          yield Buffer.alloc(100, 2);
        };
        const first = upload.put({ length: 500, expected: undefined, data: slow() });
        await written.promise;
        state.free = 600;
        clock.now += 1000;
        expect(
          await codeOf(() => upload.put({ length: 400, expected: undefined, data: Buffer.alloc(400, 3) })),
        ).toBe('no error');
        resolve();
        await first;
        upload.close();
      },
      { disk: disk(state), policy: { minFreeBytes: 100, startPercent: 99 } },
    );
  });

  test('of an object of unknown length is looked for while it comes', () => {
    const MIB = 1024 * 1024;
    const state = { free: 60 * MIB };
    return withObjectStore(
      async (fixture) => {
        const piece = Buffer.alloc(MIB, 7);
        const put = async (pieces: number) => {
          const upload = fixture.store.upload();
          let taken = 0;
          const data = async function* () {
            for (; taken < pieces; taken++) {
              yield piece;
              state.free -= MIB;
            }
          };
          const code = await codeOf(() =>
            upload.put({ length: undefined, expected: undefined, data: data() }),
          );
          upload.close();
          state.free = 60 * MIB;
          fixture.clock.now += 1000;
          return [code, taken];
        };
        expect(await put(20)).toEqual(['no error', 20]);
        const [code, taken] = await put(1000);
        expect(code).toBe('NO_SPACE');
        expect(taken).toBeLessThan(60 - 10);
        expect(taken).toBeGreaterThan(20);
        expect(await put(0)).toEqual(['INVALID_REQUEST', 0]);
        // A big file goes once what was being synced is.
        while (temporaries(fixture).length > 0) await new Promise((resolve) => setImmediate(resolve));
        expect(fixture.store.options.space.announced).toBe(0);
      },
      {
        disk: { space: () => ({ capacity: 100 * MIB, free: state.free }) },
        policy: { minFreeBytes: 10 * MIB, startPercent: 99 },
      },
    );
  });

  test('is made by collecting before an upload is refused', () => {
    const state = { free: 1000 };
    return withObjectStore(
      async ({ store, clock }) => {
        const [old] = (await addAll(store, 'x'.repeat(300))) as [string];
        state.free = 300;
        clock.now += 10_000;
        const upload = store.upload();
        await upload.put({ length: 250, expected: undefined, data: Buffer.alloc(250, 'y') });
        expect(store.size(old)).toBe(0);
        upload.close();
      },
      {
        graceMs: 0,
        policy: { minFreeBytes: 100, startPercent: 99 },
        disk: {
          ...disk(state),
          remove(path) {
            state.free += 300;
            return realDisk.remove(path);
          },
        },
      },
    );
  });

  test('by share of the file system, counting the incoming object', () => {
    const state = { free: 280 };
    return withObjectStore(
      async ({ store, clock }) => {
        const [old] = (await addAll(store, 'x'.repeat(10))) as [string];
        clock.now += 10_000;
        // 72 % full; with the 150 that are coming 87 %.
        await addAll(store, 'y'.repeat(150));
        expect(store.size(old)).toBe(0);
      },
      { graceMs: 0, policy: { startPercent: 85, stopPercent: 80 }, disk: disk(state) },
    );
  });

  test.each(['open', 'write', 'sync', 'syncPath', 'syncAll', 'rename', 'mkdir'] as const)(
    'ENOSPC in %s leaves nothing damaged',
    (call) => {
      let failAfter = Number.POSITIVE_INFINITY;
      const failing = (...args: never[]) => {
        if (failAfter-- <= 0) {
          const failure = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
          if (call.startsWith('sync')) return Promise.reject(failure);
          throw failure;
        }
        return (realDisk[call] as (...args: never[]) => unknown)(...args);
      };
      return withObjectStore(
        async (fixture) => {
          const { store } = fixture;
          for (let after = 0; after < 12; after++) {
            const texts = Array.from({ length: 6 }, (_, index) => `${call} ${after} ${index}`);
            failAfter = after;
            const acknowledged: string[] = [];
            const upload = store.upload();
            try {
              for (const text of texts) {
                const data = Buffer.from(text);
                acknowledged.push(
                  (await upload.put({ length: data.length, expected: undefined, data })).hash,
                );
              }
              const result = await upload.put({
                length: BIG.length,
                expected: undefined,
                data: chunked(BIG, 90_000),
              });
              acknowledged.push(result.hash);
              await upload.commit();
              for (const hash of acknowledged) expect(store.size(hash)).toBeGreaterThan(0);
            } catch (thrown) {
              expect((thrown as { code: string }).code).toBe('ENOSPC');
            }
            failAfter = Number.POSITIVE_INFINITY;
            upload.close();
            expect(temporaries(fixture)).toEqual([]);
            for (const { hash } of store.unreferenced())
              expect(sha512(readFileSync(store.pathOf(hash)))).toBe(hash);
          }
        },
        { disk: { [call]: failing }, graceMs: 0 },
      );
    },
  );
});
