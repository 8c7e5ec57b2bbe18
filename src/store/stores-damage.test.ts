/** Nothing found in the directories stops the start: each damage is set aside and named, everything else works. */
import { describe, expect, spyOn, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { timeFromMillis } from '../wire/time.ts';
import { objectPath } from './object-hash.ts';
import { ObjectList } from './object-list.ts';
import {
  addImage,
  codeOf,
  makeImage,
  type Place,
  START,
  sha512,
  upload,
  withPlace,
} from './stores-fixture.ts';
import { breathe } from './turn.ts';
import type { Stores } from './types.ts';

const A = 'contents of a';
const B = 'contents of b';

async function prepared(place: Place): Promise<void> {
  const stores = await place.open();
  await stores.ready;
  await stores.images.makeDirectory('d', 'games');
  await addImage(stores, 'd/good', [A, 'both']);
  await addImage(stores, 'd/x', [B, 'both']);
  await upload(stores, 'unused');
  await stores.close();
}

interface Case {
  what: string;
  damage(place: Place): void;
  /** Kind and name of what is reported. */
  reported: [string, string][];
  /** Is d/x still there? */
  survives: boolean;
  check?(stores: Stores, place: Place): void | Promise<void>;
}

const x = (place: Place) => join(place.images, 'd/x');
const object = (place: Place, text: string) => join(place.objects, objectPath(sha512(text)));
const cases: Case[] = [
  {
    what: 'an image cut short',
    damage: (place) => truncateSync(x(place), 100),
    reported: [['image', 'd/x']],
    survives: false,
    check: (_stores, place) => expect(readFileSync(x(place)).length).toBe(100),
  },
  // Root reads everything.
  ...(process.getuid?.() === 0
    ? []
    : [
        {
          what: 'an image that may not be read',
          damage: (place: Place) => chmodSync(x(place), 0),
          reported: [['image', 'd/x']] as [string, string][],
          survives: false,
        },
      ]),
  {
    what: 'an image with flipped bits',
    damage(place) {
      const file = readFileSync(x(place));
      file[file.length - 80]! ^= 4;
      writeFileSync(x(place), file);
    },
    reported: [['image', 'd/x']],
    survives: false,
  },
  {
    what: 'an image without its checksum',
    damage: (place) => truncateSync(x(place), readFileSync(x(place)).length - 64),
    reported: [['image', 'd/x']],
    survives: true,
  },
  {
    what: 'an image with part of its checksum',
    damage: (place) => truncateSync(x(place), readFileSync(x(place)).length - 10),
    reported: [['image', 'd/x']],
    survives: true,
  },
  {
    what: 'bytes after the checksum',
    damage: (place) => writeFileSync(x(place), 'more', { flag: 'a' }),
    reported: [],
    survives: true,
  },
  { what: 'a tombstone', damage: (place) => truncateSync(x(place), 0), reported: [], survives: false },
  { what: 'an image that was removed', damage: (place) => rmSync(x(place)), reported: [], survives: false },
  {
    what: 'a stray file',
    damage: (place) => writeFileSync(join(place.images, 'README.txt'), 'Read me'),
    reported: [['image', 'README.txt']],
    survives: true,
    check: (_stores, place) => expect(existsSync(join(place.images, 'README.txt'))).toBe(true),
  },
  {
    what: 'names nobody may use, links and hidden files',
    damage(place) {
      writeFileSync(join(place.images, 'd/new\nline'), readFileSync(x(place)));
      writeFileSync(join(place.images, 'd/.hidden'), 'x');
      mkdirSync(join(place.images, '.hid'));
      symlinkSync('good', join(place.images, 'd/link'));
      symlinkSync('.', join(place.images, 'd/loop'));
    },
    reported: [['stray', 'd/new\nline']],
    survives: true,
    check: (stores) => expect(stores.images.directories()).toHaveLength(2),
  },
  {
    what: 'left-over temporaries',
    damage(place) {
      for (const path of ['d/x~', 'd/old~']) writeFileSync(join(place.images, path), readFileSync(x(place)));
      utimesSync(join(place.images, 'd/old~'), 0, 0);
      utimesSync(join(place.images, 'd/x~'), START / 1000, START / 1000);
      writeFileSync(join(place.images, '.tmp/half'), 'x');
      writeFileSync(join(place.objects, '.tmp/half'), 'x');
      writeFileSync(`${object(place, A)}~`, 'half');
      utimesSync(`${object(place, A)}~`, 0, 0);
    },
    reported: [],
    survives: true,
    check(stores, place) {
      expect(readdirSync(join(place.images, 'd')).sort()).toEqual(['.metadata', 'good', 'x', 'x~']);
      expect(readdirSync(join(place.images, '.tmp'))).toEqual([]);
      expect(readdirSync(join(place.objects, '.tmp'))).toEqual([]);
      expect(existsSync(`${object(place, A)}~`)).toBe(false);
      expect(stores.objects.totals().objects).toBe(4);
    },
  },
  {
    what: 'damaged metadata of a directory',
    damage: (place) => writeFileSync(join(place.images, 'd/.metadata'), 'garbage'),
    reported: [['metadata', 'd']],
    survives: true,
    check: (stores) => expect(stores.images.ownerGroup('d')).toBe(''),
  },
  {
    what: 'a damaged list of unreferenced objects',
    damage: (place) => writeFileSync(join(place.images, '.unreferenced-objects'), 'garbage'),
    reported: [['metadata', '.unreferenced-objects']],
    survives: true,
    check: (stores) => expect(stores.objects.totals().unreferencedObjects).toBe(1),
  },
  {
    what: 'no list of unreferenced objects',
    damage: (place) => rmSync(join(place.images, '.unreferenced-objects')),
    reported: [],
    survives: true,
    check: (stores) => expect(stores.objects.totals().unreferencedObjects).toBe(1),
  },
  {
    what: 'an object that is gone',
    damage: (place) => rmSync(object(place, B)),
    reported: [],
    survives: true,
    async check(stores) {
      expect([...stores.objects.missing()]).toEqual([{ hash: sha512(B), size: B.length }]);
      expect(stores.objects.totals().missingObjects).toBe(1);
      expect(stores.objects.size(sha512(B))).toBe(0);
      await upload(stores, B);
      expect([...stores.objects.missing()]).toEqual([]);
      expect(stores.objects.totals()).toMatchObject({
        objects: 4,
        unreferencedObjects: 1,
        missingObjects: 0,
      });
    },
  },
  {
    what: 'an object cut short',
    damage: (place) => truncateSync(object(place, B), 3),
    reported: [],
    survives: true,
    async check(stores) {
      // Found by the look at all lengths, before anybody opens it.
      expect(await codeOf(() => stores.objects.open(sha512(B)).close())).toBe('OBJECT_NOT_FOUND');
      await upload(stores, B);
      stores.objects.open(sha512(B)).close();
    },
  },
  {
    what: 'strangers among the objects',
    damage(place) {
      writeFileSync(join(place.objects, 'README'), 'x');
      mkdirSync(join(place.objects, 'zz'));
      writeFileSync(join(dirname(object(place, A)), 'abc'), 'x');
      mkdirSync(join(place.objects, 'aa/bb/'.concat('c'.repeat(124))), { recursive: true });
      mkdirSync(join(place.objects, '.stash/aa'), { recursive: true });
    },
    reported: [
      ['stray', 'README'],
      ['stray', 'zz'],
      ['stray', objectPath(sha512(A)).slice(0, 6).concat('abc')],
      ['stray', `aa/bb/${'c'.repeat(124)}`],
    ],
    survives: true,
    check: (stores) => expect(stores.objects.totals().objects).toBe(4),
  },
  {
    what: 'an empty object file',
    damage(place) {
      mkdirSync(dirname(object(place, 'empty')), { recursive: true });
      writeFileSync(object(place, 'empty'), '');
    },
    reported: [['object', sha512('empty')]],
    survives: true,
    check: (_stores, place) => expect(existsSync(object(place, 'empty'))).toBe(false),
  },
  {
    what: 'an object put there by hand',
    damage(place) {
      mkdirSync(dirname(object(place, 'hand')), { recursive: true });
      writeFileSync(object(place, 'hand'), 'hand');
    },
    reported: [],
    survives: true,
    check: (stores) => expect(stores.objects.totals()).toMatchObject({ objects: 5, unreferencedObjects: 2 }),
  },
  {
    what: 'an image put there by hand',
    damage: (place) => writeFileSync(join(place.images, 'd/copy'), readFileSync(x(place))),
    reported: [],
    survives: true,
    check: (stores) => expect(stores.images.has('d/copy')).toBe(true),
  },
  {
    what: 'an unreadable directory of the trash',
    damage(place) {
      writeFileSync(join(place.images, '.trash/1-00000000.json'), '{"name":"../../x"}');
      writeFileSync(join(place.images, '.trash/1-00000000'), 'x');
      writeFileSync(join(place.images, '.trash/2-00000000.json'), '{}');
    },
    reported: [['stray', '.trash/1-00000000.json']],
    survives: true,
  },
];

const indexes: [string, (place: Place) => void, boolean][] = [
  ['with the index', () => undefined, false],
  ['without the index', (place) => rmSync(join(place.images, '.index'), { recursive: true }), false],
];
for (const [index, prepare] of indexes)
  describe(`${index}, the start survives`, () => {
    for (const { what, damage, reported, survives, check } of cases)
      test(what, () =>
        withPlace(async (place) => {
          await prepared(place);
          damage(place);
          prepare(place);
          const stores = await place.open();
          await stores.ready;
          expect([...stores.images.names()]).toContain('d/good');
          expect((await stores.images.read('d/good')).bytes.length).toBeGreaterThan(0);
          expect(stores.images.has('d/x')).toBe(survives);
          const known = stores
            .damages()
            .map(({ kind, what: name }) => [kind, name])
            // What is found about objects depends on whether the index knew them.
            .filter(([kind, name]) => kind !== 'object' || name === reported[0]?.[1]);
          const unexpected = known.filter(
            ([kind]) => kind !== 'image' || reported.some(([one]) => one === 'image'),
          );
          expect(unexpected.sort()).toEqual(reported.map((one) => [...one]).sort());
          await check?.(stores, place);
          for (const line of place.lines) expect(line).not.toContain(place.root);
          // Anything can be added in the place of what is broken.
          if (!survives) {
            await addImage(stores, 'd/x', [B, 'both']);
            expect((await stores.images.read('d/x')).bytes.length).toBeGreaterThan(0);
            expect(stores.damages().filter(({ what: name }) => name === 'd/x')).toEqual([]);
          }
        }),
      );
  });

describe('an index that', () => {
  const file = (place: Place) => join(place.images, '.index/index.sqlite');
  test.each<[string, (place: Place) => void]>([
    ['is garbage', (place) => writeFileSync(file(place), 'garbage'.repeat(1000))],
    ['is cut short', (place) => truncateSync(file(place), 5000)],
    ['is empty', (place) => truncateSync(file(place), 0)],
    [
      'has flipped bytes',
      (place) => {
        const bytes = readFileSync(file(place));
        for (let at = 4096; at < bytes.length; at += 997) bytes[at]! ^= 0x55;
        writeFileSync(file(place), bytes);
      },
    ],
    [
      'is of other directories',
      (place) => {
        rmSync(place.objects, { recursive: true });
        mkdirSync(place.objects);
      },
    ],
    [
      'is a directory',
      (place) => {
        rmSync(file(place));
        mkdirSync(file(place));
      },
    ],
  ])('%s is begun anew', (what, damage) =>
    withPlace(async (place) => {
      await prepared(place);
      damage(place);
      for (let round = 0; round < 2; round++) {
        const stores = await place.open();
        await stores.ready;
        expect([...stores.images.names()].sort()).toEqual(['d/good', 'd/x']);
        const objects = what === 'is of other directories' ? 0 : 4;
        expect(stores.objects.totals().objects).toBe(objects);
        if (objects)
          expect([...stores.objects.unreferenced()].map(({ hash }) => hash)).toEqual([sha512('unused')]);
        else expect(stores.objects.totals().missingObjects).toBe(3);
        await stores.close();
      }
    }),
  );

  test('is behind what is on disk is brought up to date', () =>
    withPlace(async (place) => {
      await prepared(place);
      const saved = join(place.root, 'saved');
      renameSync(join(place.images, '.index'), saved);
      const stores = await place.open({ objectGraceMs: 0 });
      await stores.ready;
      await stores.images.remove('d/x');
      await stores.images.purge(stores.images.trash()[0]!.id);
      place.clock.now += 3_600_000;
      await stores.objects.collect(() => true);
      await addImage(stores, 'd/later', ['later', A]);
      await stores.close();
      rmSync(join(place.images, '.index'), { recursive: true });
      renameSync(saved, join(place.images, '.index'));
      const again = await place.open();
      await again.ready;
      expect([...again.images.names()].sort()).toEqual(['d/good', 'd/later']);
      expect(again.damages()).toEqual([]);
      expect(again.objects.totals()).toMatchObject({ objects: 3, unreferencedObjects: 0, missingObjects: 0 });
    }));
});

test('a second daemon is refused, naming the first one', () =>
  withPlace(async (place) => {
    const first = await place.open();
    const refused = await place.open().catch((thrown) => thrown);
    expect([refused.code, refused.message]).toEqual([
      'CONFLICT',
      `object directory is in use by another image server (pid ${process.pid})`,
    ]);
    await first.close();
    await (await place.open()).close();
  }));

test('directories that are missing stop the start with a clear text', () =>
  withPlace(async (place) => {
    rmSync(place.images, { recursive: true });
    const refused = await place.open().catch((thrown) => thrown);
    expect(refused.message).toBe(`Cannot stat: ${place.images}: no such file or directory`);
  }));

test('objects are found when the thread that lists them fails', () =>
  withPlace(async (place) => {
    await prepared(place);
    rmSync(join(place.images, '.index'), { recursive: true });
    rmSync(object(place, A));
    writeFileSync(join(place.objects, 'README'), 'x');
    const listing = spyOn(ObjectList.prototype, 'next').mockRejectedValue(new Error('no thread to be had'));
    try {
      const stores = await place.open();
      await stores.ready;
      expect(stores.objects.totals()).toMatchObject({ objects: 3, missingObjects: 1 });
    } finally {
      listing.mockRestore();
    }
  }));

test('the scrub of many small objects lets others run', () =>
  withPlace(async (place) => {
    const stores = await place.open({ scrubBytesPerSecond: 1024 * 1024 });
    await stores.ready;
    for (let index = 0; index < 500; index++) await upload(stores, `small ${index}`);
    const scrub = stores.scrub.run();
    await breathe();
    // All of them are less than what is read in one go of a large one.
    expect(stores.scrub.progress().checkedObjects).toBeLessThan(100);
    await stores.close();
    await scrub;
  }));

test('the scrub finds what has rotted, sets it aside and remembers when it was done', () =>
  withPlace(async (place) => {
    await prepared(place);
    const stores = await place.open({ readCacheBytes: 0 });
    await stores.ready;
    writeFileSync(object(place, B), 'CONTENTS OF B');
    await stores.scrub.run(0);
    expect(stores.damages()).toMatchObject([{ kind: 'object', what: sha512(B) }]);
    expect(stores.objects.size(sha512(B))).toBe(0);
    expect(stores.scrub.progress()).toMatchObject({ failures: 1, checkedObjects: 4, lastCompletedAt: START });
    await upload(stores, B);
    const path = x(place);
    const file = readFileSync(path);
    file[50]! ^= 1;
    chmodSync(path, 0o644);
    writeFileSync(path, file);
    await stores.scrub.run(0);
    expect(stores.images.has('d/x')).toBe(false);
    await stores.close();
    const again = await place.open();
    await again.ready;
    expect(again.scrub.progress().lastCompletedAt).toBe(START);
  }));

describe('a damaged image can be deleted', () => {
  const flip = (place: Place) => {
    const file = readFileSync(x(place));
    file[file.length - 80]! ^= 4;
    writeFileSync(x(place), file);
    return file;
  };
  async function deletes(place: Place, stores: Stores, file: Uint8Array) {
    const events: unknown[] = [];
    stores.images.subscribe((event) => events.push(event));
    expect(stores.images.isDamaged('d/x')).toBeTrue();
    await stores.images.remove('d/x', { by: 'ann' });
    expect(events).toEqual([{ kind: 'delete', name: 'd/x', sequence: 1 }]);
    expect(readFileSync(x(place))).toHaveLength(0);
    const quarantine = join(place.images, '.quarantine');
    const [aside, ...more] = readdirSync(quarantine);
    expect(more).toEqual([]);
    expect(readFileSync(join(quarantine, aside as string)).equals(file)).toBeTrue();
    expect(stores.damages()).toEqual([]);
    expect(stores.images.isDamaged('d/x')).toBeFalse();
    expect(await codeOf(stores.images.remove('d/x'))).toBe('IMAGE_NOT_FOUND');
  }
  test('found at the start', () =>
    withPlace(async (place) => {
      await prepared(place);
      const file = flip(place);
      const stores = await place.open();
      await stores.ready;
      expect(stores.images.unreadable()).toEqual(['d/x']);
      await deletes(place, stores, file);
      expect(stores.images.unreadable()).toEqual([]);
    }));
  test('found while it runs; its objects are free then', () =>
    withPlace(async (place) => {
      await prepared(place);
      const stores = await place.open({ objectGraceMs: 0 });
      await stores.ready;
      const file = flip(place);
      expect(await codeOf(stores.images.tree('d/x'))).toBe('CORRUPT');
      const before = stores.objects.totals().unreferencedObjects;
      await deletes(place, stores, file);
      expect(stores.objects.totals().unreferencedObjects).toBe(before + 1);
      place.clock.now += 3_600_000;
      expect((await stores.objects.collect(() => true)).deleted).toContain(sha512(B));
    }));
  test('whose file is gone', () =>
    withPlace(async (place) => {
      await prepared(place);
      const stores = await place.open();
      await stores.ready;
      rmSync(x(place));
      expect(await codeOf(stores.images.tree('d/x'))).toBe('CORRUPT');
      await stores.images.remove('d/x');
      expect(readFileSync(x(place))).toHaveLength(0);
      expect(stores.damages()).toEqual([]);
    }));
  test('but nothing else is taken for one', () =>
    withPlace(async (place) => {
      await prepared(place);
      writeFileSync(join(place.images, '.hidden'), 'text');
      writeFileSync(join(place.images, 'd', 'left~'), 'text');
      symlinkSync('good', join(place.images, 'd', 'link'));
      const stores = await place.open();
      await stores.ready;
      for (const name of ['d/good', 'd', '.hidden', 'd/left~', 'd/link', '../img/d/good', 'd/none', '', '.'])
        expect([name, stores.images.isDamaged(name)]).toEqual([name, false]);
    }));
});

test('young uploads keep their grace over a restart', () =>
  withPlace(async (place) => {
    const stores = await place.open({ objectGraceMs: 60_000 });
    await stores.ready;
    await upload(stores, 'young');
    await addImage(stores, 'x', ['a'], { expiresAt: timeFromMillis(START + 1000) });
    await stores.close();
    place.clock.now += 30_000;
    const again = await place.open({ objectGraceMs: 60_000 });
    await again.ready;
    const collected = await again.objects.collect(() => true);
    expect(collected.deleted).not.toContain(sha512('young'));
    place.clock.now += 60_000;
    expect((await again.objects.collect(() => true)).deleted).toContain(sha512('young'));
  }));

test('what somebody just asked about keeps its grace over a restart', () =>
  withPlace(async (place) => {
    const stores = await place.open({ objectGraceMs: 60_000 });
    await stores.ready;
    await upload(stores, 'old', 'asked about');
    // Its pages are in the index; the question is all that is new.
    await stores.close();
    place.clock.now += 120_000;
    const second = await place.open({ objectGraceMs: 60_000 });
    await second.ready;
    expect(second.objects.sizes([sha512('asked about')])).toEqual([11]);
    await second.close();
    place.clock.now += 30_000;
    const third = await place.open({ objectGraceMs: 60_000 });
    await third.ready;
    expect((await third.objects.collect(() => true)).deleted).toEqual([sha512('old')]);
    place.clock.now += 60_000;
    expect((await third.objects.collect(() => true)).deleted).toEqual([sha512('asked about')]);
  }));

test('without an index everything works before all is known, and the sums are right afterwards', () =>
  withPlace(async (place) => {
    const options = { trashGraceMs: 0, objectGraceMs: 0 };
    const first = await place.open(options);
    await first.ready;
    const contentsOf = (index: number) => [`own ${index}`, `shared ${index % 7}`];
    for (let index = 0; index < 40; index++) await addImage(first, `x${index}`, contentsOf(index));
    await first.close();
    rmSync(join(place.images, '.index'), { recursive: true });
    const stores = await place.open(options);
    const { images, objects } = stores;
    expect(images.pending('x39')).toBeDefined();
    expect(objects.size(sha512('own 3'))).toBe(5);
    const group = objects.upload();
    const data = Buffer.from('shared 1');
    expect(await group.put({ length: data.length, expected: undefined, data })).toMatchObject({
      added: false,
    });
    await group.commit();
    group.close();
    expect(await codeOf(images.add('x30', makeImage(contentsOf(30))))).toBe('IMAGE_EXISTS');
    await Promise.all([
      images.remove('x31'),
      images.remove('x2'),
      addImage(stores, 'new', ['own 5', 'brand new']),
      stores.objects.collect(() => true),
      stores.ready,
    ]);
    await images.remove('new');
    await objects.collect(() => true);
    expect(images.size).toBe(38);
    expect(objects.totals()).toMatchObject({ objects: 38 + 7, unreferencedObjects: 0, missingObjects: 0 });
    for (const name of images.names()) await images.tree(name);
    expect(stores.damages()).toEqual([]);
  }));
