/** An index that rots in any way: the start goes on, and what it says is right all the same. */
import { expect, test } from 'bun:test';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addImage, type Place, sha512, upload, withPlace } from './stores-fixture.ts';

const RUNS = Number(process.env.INDEX_DAMAGE_RUNS ?? 25);
const SEED = Number(process.env.INDEX_DAMAGE_SEED ?? Math.floor(Math.random() * 1e6));
let state = SEED;
/** A pseudo-random number below `n`, the same for the same seed. */
function random(n: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
}

const names = ['d/one', 'd/two', 'd/three'];

/** Overwrites, cuts or swaps parts of one of the files. */
function damage(folder: string): void {
  const files = readdirSync(folder);
  const path = join(folder, files[random(files.length)] as string);
  const bytes = readFileSync(path);
  if (bytes.length === 0) return;
  const kind = random(4);
  if (kind === 0) truncateSync(path, random(bytes.length));
  else if (kind === 1) writeFileSync(path, '');
  else {
    for (let count = 1 + random(20); count > 0; count--)
      bytes.fill(
        random(256),
        random(bytes.length),
        Math.min(bytes.length, random(bytes.length) + random(64)),
      );
    writeFileSync(path, bytes);
  }
}

async function prepare(place: Place): Promise<void> {
  const stores = await place.open();
  await stores.ready;
  await stores.images.makeDirectory('d');
  for (const name of names) await addImage(stores, name, [`contents of ${name}`, 'shared by all']);
  await upload(stores, 'unused');
  // Many, so that the database has more than a few pages.
  await upload(stores, ...Array.from({ length: 1500 }, (_, index) => `object ${index}`));
  await stores.images.remove('d/three');
  await stores.close();
}

test(
  `seed ${SEED}: damaged ${RUNS} times`,
  () =>
    withPlace(async (place) => {
      await prepare(place);
      const index = join(place.images, '.index');
      const good = join(place.root, 'good-index');
      cpSync(index, good, { recursive: true });
      for (let run = 0; run < RUNS; run++) {
        rmSync(index, { recursive: true });
        cpSync(good, index, { recursive: true });
        damage(index);
        const stores = await place.open();
        await stores.ready;
        const { images, objects } = stores;
        expect([...images.names()].sort()).toEqual(['d/one', 'd/two']);
        expect(images.trash().map(({ name }) => name)).toEqual(['d/three']);
        for (const name of images.names()) {
          const { bytes } = await images.read(name);
          expect(sha512(bytes)).toBe(images.get(name)?.identity as string);
          expect((await images.header(name)).CreatedBy).toBe('somebody');
          expect(objects.size(sha512(`contents of ${name}`))).toBe(`contents of ${name}`.length);
        }
        expect(objects.totals()).toMatchObject({
          objects: 1505,
          unreferencedObjects: 1501,
          missingObjects: 0,
        });
        expect(stores.damages().filter(({ kind }) => kind !== 'index')).toEqual([]);
        await stores.close();
        expect(existsSync(join(index, 'index.sqlite'))).toBe(true);
      }
    }),
  60_000 + RUNS * 5000,
);
