/** Random sequences of changes, restarts and losses of the index against a simple model. */
import { expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { timeFromMillis, ZERO_TIME } from '../wire/time.ts';
import type { DirectoryImageStore } from './image-store.ts';
import { codeOf, makeImage, type Place, START, sha512, upload, withPlace } from './stores-fixture.ts';
import type { Stores } from './types.ts';

const RUNS = Number(process.env.MODEL_RUNS ?? 40);
const GRACE_MS = 10_000;
const TRASH_MS = 30_000;

interface ModelImage {
  contents: string[];
  expiresAt: number | undefined;
  createdAt: number;
}
interface Model {
  images: Map<string, ModelImage>;
  trash: { name: string; image: ModelImage; purgeAt: number }[];
  /** Present objects, and until when collection must leave them. */
  objects: Map<string, number>;
  groups: Map<string, string>;
}

const isUsed = ({ images, trash }: Model, content: string) =>
  [...images.values(), ...trash.map(({ image }) => image)].some(({ contents }) => contents.includes(content));

const name = fc.constantFrom('a', 'b', 'd/a', 'd/b', 'd/sub/a');
const contents = fc.array(fc.constantFrom('one', 'two', 'three', 'four', 'five'), {
  minLength: 1,
  maxLength: 3,
});
const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      name,
      contents,
      life: fc.option(fc.integer({ min: 1, max: 40_000 })),
      upload: fc.boolean(),
      replace: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('undelete' as const), which: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('purge' as const), which: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('expiry' as const),
      name,
      life: fc.option(fc.integer({ min: 1, max: 40_000 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('chown' as const),
      name: fc.constantFrom('.', 'd', 'd/sub'),
      group: fc.constantFrom('', 'games', 'users'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('collect' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 25_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('restart' as const, 'lose index' as const) }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** What happens by itself as time passes. */
function elapse(model: Model, now: number): void {
  for (const [key, image] of model.images)
    if (image.expiresAt !== undefined && image.expiresAt <= now) model.images.delete(key);
  model.trash = model.trash.filter(({ purgeAt }) => purgeAt > now);
}

async function apply(what: Operation, model: Model, place: Place, stores: Stores): Promise<void> {
  const now = place.clock.now;
  const { images } = stores;
  switch (what.kind) {
    case 'add': {
      if (what.upload) {
        await upload(stores, ...what.contents);
        for (const content of what.contents) model.objects.set(content, now + GRACE_MS);
      }
      const expiresAt = what.life === null ? undefined : now + what.life;
      const code = await codeOf(
        images.add(
          what.name,
          makeImage(what.contents, {
            createdOn: timeFromMillis(now),
            expiresAt: expiresAt === undefined ? ZERO_TIME : timeFromMillis(expiresAt),
          }),
          { replace: what.replace },
        ),
      );
      if (model.images.has(what.name) && !what.replace) expect(code).toBe('IMAGE_EXISTS');
      else if (!what.contents.every((content) => model.objects.has(content)))
        expect(code).toBe('OBJECTS_MISSING');
      else {
        expect(code).toBe('no error');
        model.images.set(what.name, { contents: what.contents, expiresAt, createdAt: now });
      }
      break;
    }
    case 'remove': {
      const image = model.images.get(what.name);
      expect(await codeOf(images.remove(what.name))).toBe(image ? 'no error' : 'IMAGE_NOT_FOUND');
      if (!image) break;
      model.images.delete(what.name);
      model.trash.push({ name: what.name, image, purgeAt: now + TRASH_MS });
      break;
    }
    case 'undelete': {
      const entry = images.trash()[what.which];
      if (!entry) break;
      const at = model.trash.findIndex((one) => one.name === entry.name && one.purgeAt === entry.purgeAt);
      const { image } = model.trash[at]!;
      const code = await codeOf(images.undelete(entry.id));
      if (model.images.has(entry.name)) expect(code).toBe('IMAGE_EXISTS');
      else if (image.expiresAt !== undefined && image.expiresAt <= now) expect(code).toBe('CONFLICT');
      else {
        expect(code).toBe('no error');
        model.trash.splice(at, 1);
        model.images.set(entry.name, image);
      }
      break;
    }
    case 'purge': {
      const entry = images.trash()[what.which];
      if (!entry) break;
      await images.purge(entry.id);
      model.trash.splice(
        model.trash.findIndex((one) => one.name === entry.name && one.purgeAt === entry.purgeAt),
        1,
      );
      break;
    }
    case 'expiry': {
      const image = model.images.get(what.name);
      const expiresAt = what.life === null ? undefined : now + what.life;
      const to = expiresAt === undefined ? ZERO_TIME : timeFromMillis(expiresAt);
      expect(await codeOf(images.setExpiry(what.name, to))).toBe(image ? 'no error' : 'IMAGE_NOT_FOUND');
      if (image) model.images.set(what.name, { ...image, expiresAt });
      break;
    }
    case 'chown':
      await images.setOwnerGroup(what.name, what.group);
      model.groups.set(what.name, what.group);
      break;
    case 'collect': {
      const { deleted } = await stores.objects.collect(() => true);
      for (const [content, until] of model.objects) {
        if (!deleted.includes(sha512(content))) continue;
        expect([content, isUsed(model, content), until > now]).toEqual([content, false, false]);
        model.objects.delete(content);
      }
      break;
    }
    case 'wait': {
      place.clock.now += what.ms;
      const store = images as DirectoryImageStore;
      store.alarm.check();
      await store.settled();
      elapse(model, place.clock.now);
    }
  }
}

async function compare(model: Model, stores: Stores): Promise<void> {
  const { images, objects } = stores;
  expect([...images.names()].sort()).toEqual([...model.images.keys()].sort());
  expect(Buffer.from(images.listing()).toString().split('\n').sort().filter(Boolean)).toEqual(
    [...model.images.keys()].sort(),
  );
  for (const [key, { contents: texts }] of model.images) {
    const { image } = await images.tree(key);
    expect(image.FileSystem?.InodeTable?.size).toBe(texts.length);
  }
  const newest = [...model.images]
    .filter(([key]) => /^d\/[^/]+$/.test(key))
    .sort(([x, a], [y, b]) => b.createdAt - a.createdAt || (x < y ? 1 : -1))[0]?.[0];
  expect(images.findLatest('d', () => true)?.name).toBe(newest);
  expect(
    images
      .trash()
      .map((entry) => `${entry.name} ${entry.purgeAt}`)
      .sort(),
  ).toEqual(model.trash.map((entry) => `${entry.name} ${entry.purgeAt}`).sort());
  for (const [directory, group] of model.groups) expect(images.ownerGroup(directory)).toBe(group);
  expect(objects.totals().objects).toBe(model.objects.size);
  const unreferenced = [...model.objects.keys()].filter((content) => !isUsed(model, content));
  expect([...objects.unreferenced()].map(({ hash }) => hash).sort()).toEqual(
    unreferenced.map((one) => sha512(one)).sort(),
  );
  for (const content of model.objects.keys()) objects.open(sha512(content)).close();
  expect(stores.damages()).toEqual([]);
}

test(
  `${RUNS} sequences`,
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40 }), (operations) =>
        withPlace(async (place) => {
          const options = { objectGraceMs: GRACE_MS, trashGraceMs: TRASH_MS };
          const start = async () => {
            const stores = await place.open(options);
            await stores.ready;
            return stores;
          };
          let stores = await start();
          const model: Model = {
            images: new Map(),
            trash: [],
            objects: new Map(),
            groups: new Map([['.', '']]),
          };
          for (const directory of ['d', 'd/sub']) {
            await stores.images.makeDirectory(directory);
            model.groups.set(directory, '');
          }
          expect(place.clock.now).toBe(START);
          for (const what of operations) {
            if (what.kind === 'restart' || what.kind === 'lose index') {
              await stores.close();
              if (what.kind === 'lose index') rmSync(join(place.images, '.index'), { recursive: true });
              stores = await start();
            } else await apply(what, model, place, stores);
            await compare(model, stores);
          }
        }),
      ),
      { numRuns: RUNS, interruptAfterTimeLimit: RUNS * 2000 },
    ),
  RUNS * 3000,
);
