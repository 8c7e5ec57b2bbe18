/**
 * A process to be killed: changes the stores in a loop and says on its standard output what it is about to do and what
 * was acknowledged. Arguments: image directory, object directory, seed.
 */
import { writeSync } from 'node:fs';
import { timeFromMillis } from '../wire/time.ts';
import { openStores } from './open.ts';
import { makeImage } from './stores-fixture.ts';

const [imageDirectory = '', objectDirectory = '', seed = '1'] = process.argv.slice(2);
let state = Number(seed);
/** A pseudo-random number below `n`, the same for the same seed. */
function random(n: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
}
// Straight to the descriptor: what was said must be out before the kill.
const say = (...words: string[]) => writeSync(1, `${words.join(' ')}\n`);

const stores = await openStores({
  imageDirectory,
  objectDirectory,
  objectGraceMs: 60_000,
  trashGraceMs: 60_000,
});
say('open');
const { images, objects } = stores;
const pick = () => {
  const names = [...images.names()];
  return names[random(names.length)];
};

async function addOne(round: number): Promise<void> {
  const contents = Array.from({ length: 1 + random(random(2) ? 60 : 4) }, () =>
    `${random(500)} `.repeat(1 + random(random(10) ? 50 : 40_000)),
  );
  const upload = objects.upload();
  const hashes: string[] = [];
  for (const content of contents) {
    const data = Buffer.from(content);
    hashes.push((await upload.put({ length: data.length, expected: undefined, data })).hash);
  }
  await upload.commit();
  for (const hash of hashes) say('object', hash);
  const name = `d/${seed}-${round}`;
  say('adding', name);
  await images.add(name, makeImage(contents, { expiresAt: timeFromMillis(Date.now() + 86_400_000) }));
  say('image', name, images.get(name)?.identity ?? '');
  upload.close();
}

async function removeOne(): Promise<void> {
  const name = pick();
  if (!name) return;
  say('removing', name);
  await images.remove(name);
  say('removed', name);
}

async function extendOne(): Promise<void> {
  const name = pick();
  if (!name) return;
  say('extending', name);
  await images.setExpiry(name, timeFromMillis(Date.now() + 90_000_000 + random(1000)));
  say('image', name, images.get(name)?.identity ?? '');
}

async function undeleteOne(): Promise<void> {
  const entry = images.trash()[0];
  if (!entry || images.has(entry.name)) return;
  say('undeleting', entry.name);
  await images.undelete(entry.id);
  say('image', entry.name, entry.identity);
}

if (!images.hasDirectory('d')) await images.makeDirectory('d');
for (let round = 0; ; round++) {
  const work = [addOne, addOne, addOne, removeOne, extendOne, undeleteOne][random(6)] as typeof addOne;
  // Several at once: group commits, and changes that overlap.
  await Promise.all(
    [addOne(round * 3), work(round * 3 + 1), addOne(round * 3 + 2)].map((one) => one.catch(refused)),
  );
}

/** Two changes of one name may meet; anything else is a fault. */
function refused(thrown: { code?: string }): void {
  if (!['IMAGE_NOT_FOUND', 'IMAGE_EXISTS'].includes(thrown.code ?? '')) {
    say('failed', String(thrown));
    throw thrown;
  }
}
