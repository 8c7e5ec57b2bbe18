import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeOnce } from '../wire/gob/decoder.ts';
import { Image } from '../wire/messages/image.ts';
import { timeFromMillis, ZERO_TIME } from '../wire/time.ts';
import type { DirectoryImageStore } from './image-store.ts';
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
import type { CatalogueEvent, Stores } from './types.ts';

const NO_TRASH = { trashGraceMs: 0, objectGraceMs: 0 };
const eventsOf = (stores: Stores): string[] => {
  const events: string[] = [];
  let last = 0;
  stores.images.subscribe((event: CatalogueEvent) => {
    expect(event.sequence).toBeGreaterThan(last);
    last = event.sequence;
    events.push(`${event.kind} ${event.kind === 'mkdir' ? event.directory.Name : event.name}`);
  });
  return events;
};
const openReady = async (place: Place, options?: Parameters<Place['open']>[0]) => {
  const stores = await place.open(options);
  await stores.ready;
  return stores;
};
/** Moves the clock and lets what is due happen. */
const advance = async (place: Place, stores: Stores, ms: number) => {
  place.clock.now += ms;
  const store = stores.images as DirectoryImageStore;
  store.alarm.check();
  await store.settled();
};

describe('adding', () => {
  test('makes an image visible, durable in the form of the original, and refers to its objects', () =>
    withPlace(async (place) => {
      const stores = await openReady(place);
      const events = eventsOf(stores);
      await stores.images.makeDirectory('base', 'games');
      await addImage(stores, 'base/one', ['a', 'b', 'a'], { notes: 'new' });
      expect(events).toEqual(['mkdir base', 'add base/one']);
      expect(stores.images.get('base/one')).toMatchObject({
        name: 'base/one',
        regularInodes: 3,
        filterLines: 1,
      });
      expect(stores.objects.totals()).toMatchObject({ objects: 3, unreferencedObjects: 0 });
      expect(Buffer.from(stores.images.listing()).toString()).toBe('base/one\n\n');
      const file = readFileSync(join(place.images, 'base/one'));
      const gob = file.subarray(0, -64);
      expect(file.subarray(-64).toString('hex')).toBe(sha512(gob));
      expect(stores.images.get('base/one')?.identity).toBe(sha512(gob));
      expect(statSync(join(place.images, 'base/one')).mode & 0o777).toBe(0o644);
      expect(Buffer.from((await stores.images.read('base/one')).bytes).equals(gob)).toBe(true);
      expect(readdirSync(join(place.images, '.tmp'))).toEqual([]);
    }));

  test('sets who made it and when, if told so', () =>
    withPlace(async (place) => {
      const stores = await openReady(place);
      await upload(stores, 'a');
      const createdOn = timeFromMillis(START + 5);
      await stores.images.add('x', makeImage(['a']), { createdBy: 'me', createdOn });
      expect(stores.images.get('x')).toMatchObject({ createdBy: 'me', createdOn });
      expect((await stores.images.header('x')).CreatedBy).toBe('me');
      expect((await stores.images.tree('x')).image.FileSystem?.InodeTable?.size).toBe(1);
    }));

  test.each<[string, string, (stores: Stores) => Promise<void>, string]>([
    ['IMAGE_EXISTS', 'taken', (s) => addImage(s, 'there', ['a']), 'image: there already exists'],
    [
      'OBJECTS_MISSING',
      'an object is missing',
      (s) => s.images.add('x', makeImage(['none'])),
      `object: ${sha512('none')} is not available`,
    ],
    [
      'OBJECTS_MISSING',
      'occurrences are missing',
      (s) => s.images.add('x', makeImage(['none', 'none', 'nil', 'a'])),
      '3 objects are not available',
    ],
    [
      'OBJECTS_MISSING',
      'release notes are missing',
      (s) => s.images.add('x', makeImage(['a'], { notes: 'none' })),
      `object: ${sha512('none')} is not available`,
    ],
    ['DIRECTORY_NOT_FOUND', 'no directory', (s) => addImage(s, 'no/x', ['a']), 'no metadata for: "no"'],
    [
      'IMAGE_EXISTS',
      'a directory',
      (s) => addImage(s, 'dir', ['a']),
      'there is a directory of that name: dir',
    ],
    ...['', '.', '..', '../x', '/abs', 'a//b', 'a/', '.hidden', 'dir/.x', 'tilde~', 'new\nline', 'nul\0'].map(
      (name): [string, string, (stores: Stores) => Promise<void>, string] => [
        'INVALID_NAME',
        JSON.stringify(name),
        async (s) => s.images.add(name, makeImage(['a'])),
        'bad image name',
      ],
    ),
  ])('is refused: %s (%s)', (code, _what, work, message) =>
    withPlace(async (place) => {
      const stores = await openReady(place);
      await stores.images.makeDirectory('dir');
      await addImage(stores, 'there', ['a']);
      const before = stores.objects.totals();
      const failing = Promise.resolve().then(() => work(stores));
      expect(await codeOf(failing)).toBe(code);
      expect(await failing.catch((thrown) => thrown.message)).toStartWith(message);
      expect(stores.images.size).toBe(1);
      expect(stores.objects.totals()).toEqual(before);
      expect(readdirSync(join(place.images, '.tmp'))).toEqual([]);
    }),
  );

  test('of one name by many at once succeeds once', () =>
    withPlace(async (place) => {
      const stores = await openReady(place, NO_TRASH);
      await upload(stores, 'a');
      const codes = await Promise.all(
        Array.from({ length: 8 }, () => codeOf(stores.images.add('x', makeImage(['a'])))),
      );
      expect(codes.filter((code) => code === 'no error')).toHaveLength(1);
      expect(codes.filter((code) => code === 'IMAGE_EXISTS')).toHaveLength(7);
      await stores.images.remove('x');
      expect(stores.objects.totals().unreferencedObjects).toBe(1);
    }));

  test('replaces when told so, and takes the place of a tombstone', () =>
    withPlace(async (place) => {
      const stores = await openReady(place, NO_TRASH);
      await addImage(stores, 'x', ['a']);
      await upload(stores, 'b');
      await stores.images.add('x', makeImage(['b']), { replace: true });
      expect([...stores.objects.unreferenced()].map(({ hash }) => hash)).toEqual([sha512('a')]);
      expect(stores.images.size).toBe(1);
      await stores.images.remove('x');
      expect(statSync(join(place.images, 'x')).size).toBe(0);
      await addImage(stores, 'x', ['a']);
      expect(stores.images.has('x')).toBe(true);
    }));

  test('an image that has expired is accepted and not stored', () =>
    withPlace(async (place) => {
      const stores = await openReady(place);
      await addImage(stores, 'x', ['a'], { expiresAt: timeFromMillis(START - 1) });
      expect(stores.images.has('x')).toBe(false);
      expect(stores.objects.totals().unreferencedObjects).toBe(1);
      expect(place.lines).toContain('Ignoring already expired image: x');
    }));
});

describe('expiry', () => {
  test('removes an image at its time, file and all, and tells listeners', () =>
    withPlace(async (place) => {
      const stores = await openReady(place);
      const events = eventsOf(stores);
      await addImage(stores, 'soon', ['a'], { expiresAt: timeFromMillis(START + 1000) });
      await addImage(stores, 'later', ['b'], { expiresAt: timeFromMillis(START + 5000) });
      await advance(place, stores, 999);
      expect(stores.images.size).toBe(2);
      await stores.images.setExpiry('later', timeFromMillis(START + 9000));
      await advance(place, stores, 5001);
      expect([...stores.images.names()]).toEqual(['later']);
      expect(existsSync(join(place.images, 'soon'))).toBe(false);
      await stores.images.setExpiry('later', ZERO_TIME);
      await advance(place, stores, 1_000_000);
      expect(stores.images.has('later')).toBe(true);
      expect(events).toEqual(['add soon', 'add later', 'add later', 'delete soon', 'add later']);
      expect(place.lines).toContain('Auto expiring (deleting) image: soon');
    }));

  test('is caught up with at the next start', () =>
    withPlace(async (place) => {
      const stores = await openReady(place);
      await addImage(stores, 'soon', ['a'], { expiresAt: timeFromMillis(START + 1000) });
      await stores.close();
      place.clock.now += 2000;
      const again = await openReady(place);
      expect(again.images.size).toBe(0);
      expect(again.objects.totals().unreferencedObjects).toBe(1);
      expect(place.lines).toContain('Deleting already expired image: soon');
    }));

  test('changed: the rewritten file is read back, other fields stay', () =>
    withPlace(async (place) => {
      const stores = await openReady(place);
      await addImage(stores, 'x', ['a'], { expiresAt: timeFromMillis(START + 1000), by: 'me' });
      const before = stores.images.get('x');
      await stores.images.setExpiry('x', timeFromMillis(START + 99_000));
      await stores.close();
      const again = await openReady(place);
      const entry = again.images.get('x');
      expect(entry).toMatchObject({ createdBy: 'me', expiresAt: timeFromMillis(START + 99_000) });
      expect(entry?.identity).not.toBe(before?.identity);
      expect((await again.images.tree('x')).image.ExpiresAt).toEqual(timeFromMillis(START + 99_000));
    }));
});

describe('the trash', () => {
  test('keeps a deleted image and its objects for the time of grace', () =>
    withPlace(async (place) => {
      const stores = await openReady(place, { objectGraceMs: 0, trashGraceMs: 10_000 });
      const events = eventsOf(stores);
      await addImage(stores, 'x', ['a', 'b']);
      await stores.images.remove('x', { by: 'me' });
      expect(stores.images.has('x')).toBe(false);
      expect(statSync(join(place.images, 'x')).size).toBe(0);
      expect((await stores.objects.collect(() => true)).count).toBe(0);
      expect(stores.images.trash()).toMatchObject([
        { name: 'x', deletedBy: 'me', deletedAt: START, purgeAt: START + 10_000, dataBytes: 2 },
      ]);
      await stores.images.undelete(stores.images.trash()[0]!.id);
      expect((await stores.images.tree('x')).image.FileSystem?.InodeTable?.size).toBe(2);
      expect(stores.images.trash()).toEqual([]);
      await stores.images.remove('x');
      await advance(place, stores, 10_001);
      expect(stores.images.trash()).toEqual([]);
      expect(stores.objects.totals().unreferencedObjects).toBe(2);
      expect(readdirSync(join(place.images, '.trash'))).toEqual([]);
      expect(events).toEqual(['add x', 'delete x', 'add x', 'delete x']);
    }));

  test.each(['with', 'without'])('survives a restart %s the index', (how) =>
    withPlace(async (place) => {
      const stores = await openReady(place, { objectGraceMs: 0 });
      await addImage(stores, 'x', ['a']);
      await stores.images.remove('x', { by: 'me' });
      const before = stores.images.trash();
      await stores.close();
      if (how === 'without') Bun.spawnSync(['rm', '-r', join(place.images, '.index')]);
      const again = await openReady(place, { objectGraceMs: 0 });
      expect(again.images.trash()).toEqual(before);
      expect(again.objects.totals().unreferencedObjects).toBe(0);
      await again.images.undelete(before[0]!.id);
      expect((await again.images.header('x')).CreatedBy).toBe('somebody');
    }),
  );

  test('does not give back what is there again, and can be emptied by hand', () =>
    withPlace(async (place) => {
      const stores = await openReady(place);
      await addImage(stores, 'x', ['a']);
      await stores.images.remove('x');
      const { id } = stores.images.trash()[0]!;
      await addImage(stores, 'x', ['b']);
      expect(await codeOf(stores.images.undelete(id))).toBe('IMAGE_EXISTS');
      await stores.images.purge(id);
      expect(await codeOf(stores.images.purge(id))).toBe('IMAGE_NOT_FOUND');
      expect(await codeOf(stores.images.undelete('../../x'))).toBe('IMAGE_NOT_FOUND');
      expect([...stores.objects.unreferenced()].map(({ hash }) => hash)).toEqual([sha512('a')]);
    }));
});

describe('directories', () => {
  test('are made, owned, listed parents first, and removed when empty', () =>
    withPlace(async (place) => {
      const stores = await openReady(place);
      const { images } = stores;
      const events = eventsOf(stores);
      for (const name of ['v10', 'v9', 'v9/a']) await images.makeDirectory(name);
      await images.setOwnerGroup('v9', 'games');
      await images.setOwnerGroup('v9', 'games');
      const names = () =>
        images.directories().map(({ Name, Metadata }) => `${Name} ${Metadata.OwnerGroup}`.trim());
      expect(names()).toEqual(['.', 'v9 games', 'v9/a', 'v10']);
      expect(await codeOf(images.makeDirectory('v9'))).toBe('DIRECTORY_EXISTS');
      expect(await codeOf(images.makeDirectory('no/x'))).toBe('DIRECTORY_NOT_FOUND');
      expect(await codeOf(() => images.makeDirectory('../x'))).toBe('INVALID_NAME');
      expect(await codeOf(images.removeDirectory('v9'))).toBe('DIRECTORY_NOT_EMPTY');
      await images.removeDirectory('v9/a');
      await images.removeDirectory('v9');
      expect(existsSync(join(place.images, 'v9'))).toBe(false);
      expect(events).toEqual(['mkdir v10', 'mkdir v9', 'mkdir v9/a', 'mkdir v9', 'rmdir v9/a', 'rmdir v9']);
      await images.setOwnerGroup('v10', 'users');
      await images.setOwnerGroup('v10', '');
      expect(existsSync(join(place.images, 'v10/.metadata'))).toBe(false);
      await images.setOwnerGroup('.', 'wheel');
      await stores.close();
      const again = await openReady(place);
      expect(again.images.directories()).toEqual([
        { Name: '.', Metadata: { OwnerGroup: 'wheel' } },
        { Name: 'v10', Metadata: { OwnerGroup: '' } },
      ]);
    }));

  test('with tombstones stay', () =>
    withPlace(async (place) => {
      const stores = await openReady(place, NO_TRASH);
      await stores.images.makeDirectory('d', 'games');
      await addImage(stores, 'd/x', ['a']);
      await stores.images.remove('d/x');
      expect(await codeOf(stores.images.removeDirectory('d'))).toBe('DIRECTORY_NOT_EMPTY');
      expect(stores.images.ownerGroup('d')).toBe('games');
    }));
});

test('the latest image is the newest directly inside the directory', () =>
  withPlace(async (place) => {
    const stores = await openReady(place, NO_TRASH);
    await stores.images.makeDirectory('d');
    await stores.images.makeDirectory('d/sub');
    const ages = { 'd/old': 1, 'd/new': 3, 'd/tie.9': 2, 'd/tie.10': 2, 'd/sub/newest': 9 };
    for (const [name, age] of Object.entries(ages))
      await addImage(stores, name, ['a'], { createdOn: timeFromMillis(START + age) });
    const latest = (directory: string, except: string[] = []) =>
      stores.images.findLatest(directory, ({ name }) => !except.includes(name))?.name;
    expect(latest('d')).toBe('d/new');
    expect(latest('d', ['d/new'])).toBe('d/tie.10');
    await stores.images.remove('d/tie.10');
    expect(latest('d', ['d/new'])).toBe('d/tie.9');
    expect(latest('.')).toBeUndefined();
    expect(await codeOf(() => latest('d/'))).toBe('DIRECTORY_NOT_FOUND');
  }));

test('what is read is verified; a damaged image is not served and can be healed', () =>
  withPlace(async (place) => {
    const stores = await openReady(place, { readCacheBytes: 0 });
    await addImage(stores, 'x', ['a']);
    await stores.close();
    const path = join(place.images, 'x');
    const good = readFileSync(path);
    const { mtime, atime } = statSync(path);
    const bad = Buffer.from(good);
    bad[bad.length - 100]! ^= 1;
    // In place and with the old times: what a failing disk does.
    writeFileSync(path, bad);
    (await import('node:fs')).utimesSync(path, atime, mtime);
    const again = await openReady(place, { readCacheBytes: 0 });
    const events = eventsOf(again);
    if (again.images.has('x')) expect(await codeOf(again.images.read('x'))).toBe('CORRUPT');
    expect(again.images.has('x')).toBe(false);
    expect(again.damages()).toMatchObject([{ kind: 'image', what: 'x' }]);
    expect(events).toEqual([]);
    expect(readFileSync(path).equals(bad)).toBe(true);
    await addImage(again, 'x', ['a']);
    expect(Buffer.from((await again.images.read('x')).bytes).equals(good.subarray(0, -64))).toBe(true);
    expect(again.damages()).toEqual([]);
    expect(readdirSync(join(place.images, '.quarantine'))).toHaveLength(1);
  }));

test('collection beside adding and deleting never takes what an image needs', () =>
  withPlace(async (place) => {
    const stores = await openReady(place, NO_TRASH);
    let stop = false;
    let collected = 0;
    const collector = (async () => {
      while (!stop) {
        collected += (await stores.objects.collect(() => true)).count;
        await Bun.sleep(0);
      }
    })();
    await Promise.all(
      Array.from({ length: 4 }, async (_, worker) => {
        for (let round = 0; round < 25; round++) {
          const contents = Array.from(
            { length: 12 },
            (__, index) => `content ${(round + worker + index) % 20}`,
          );
          const group = stores.objects.upload();
          for (const content of contents) {
            const data = Buffer.from(content);
            await group.put({ length: data.length, expected: undefined, data });
          }
          await group.commit();
          await stores.images.add(`x${worker}`, makeImage(contents));
          group.close();
          await Bun.sleep(0);
          for (const content of contents) stores.objects.open(sha512(content)).close();
          await stores.images.remove(`x${worker}`);
        }
      }),
    );
    stop = true;
    await collector;
    expect(collected).toBeGreaterThan(0);
    await stores.objects.collect(() => true);
    expect(stores.objects.totals()).toMatchObject({ objects: 0, bytes: 0, missingObjects: 0 });
    expect(stores.damages()).toEqual([]);
  }));

test('reading beside rewriting gives whole images only', () =>
  withPlace(async (place) => {
    const stores = await openReady(place, { readCacheBytes: 0 });
    await addImage(stores, 'x', ['a'], { expiresAt: timeFromMillis(START + 1_000_000) });
    let stop = false;
    const readers = Array.from({ length: 4 }, async () => {
      while (!stop) {
        const { bytes } = await stores.images.read('x');
        const { value, used } = decodeOnce(Image, bytes);
        expect([used, value.FileSystem?.InodeTable?.size]).toEqual([bytes.length, 1]);
      }
    });
    // Now and then with another length: the zero time takes no room.
    for (let round = 0; round < 60; round++)
      await stores.images.setExpiry('x', round % 3 ? timeFromMillis(START + 1_000_000 + round) : ZERO_TIME);
    stop = true;
    await Promise.all(readers);
    expect(stores.damages()).toEqual([]);
  }));
