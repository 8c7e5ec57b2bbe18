/** Kill -9 at random moments: what was acknowledged is there and intact, nothing half-done is visible. */
import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha512, withPlace } from './stores-fixture.ts';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 8);
const SEED = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 1e6));

interface Expected {
  readonly objects: Set<string>;
  /** Name → identity; undefined = deleted; absent = cannot be said. */
  readonly images: Map<string, string | undefined>;
}

/** Takes in what the process said until it was killed. */
function takeIn(lines: string[], expected: Expected): void {
  for (const line of lines) {
    const [what, name = '', identity = ''] = line.split(' ');
    expect(what).not.toBe('failed');
    if (what === 'object') expected.objects.add(name);
    else if (what === 'image') expected.images.set(name, identity);
    else if (what === 'removed') expected.images.set(name, undefined);
    else if (what !== 'open') expected.images.delete(name); // About to change: either is right.
  }
}

async function runAndKill(imageDirectory: string, objectDirectory: string, seed: number): Promise<string[]> {
  const child = Bun.spawn(
    [
      process.execPath,
      join(import.meta.dir, 'crash-process.ts'),
      imageDirectory,
      objectDirectory,
      String(seed),
    ],
    { stdout: 'pipe', stderr: 'inherit' },
  );
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    if (text === '') setTimeout(() => child.kill('SIGKILL'), (seed * 7919) % 400);
    text += decoder.decode(chunk, { stream: true });
  }
  await child.exited;
  expect(child.signalCode).toBe('SIGKILL');
  return text.split('\n').slice(0, -1);
}

test(
  `seed ${SEED}: ${ROUNDS} kills`,
  () =>
    withPlace(async (place) => {
      place.clock.now = Date.now();
      const expected: Expected = { objects: new Set(), images: new Map() };
      for (let round = 1; round <= ROUNDS; round++) {
        takeIn(await runAndKill(place.images, place.objects, SEED + round), expected);
        const stores = await place.open({ trashGraceMs: 60_000 });
        await stores.ready;
        expect(stores.damages()).toEqual([]);
        for (const [name, identity] of expected.images)
          expect([round, name, stores.images.get(name)?.identity]).toEqual([round, name, identity]);
        for (const hash of expected.objects)
          expect(
            sha512(readFileSync(join(place.objects, hash.slice(0, 2), hash.slice(2, 4), hash.slice(4)))),
          ).toBe(hash);
        let referenced = 0;
        for (const name of stores.images.names()) {
          expect(sha512((await stores.images.read(name)).bytes)).toBe(stores.images.get(name)!.identity);
          referenced++;
        }
        expect(referenced).toBe(stores.images.size);
        expect([...stores.objects.missing()]).toEqual([]);
        expect(stores.objects.totals().objects).toBeGreaterThanOrEqual(expected.objects.size);
        expect(readdirSync(join(place.images, '.tmp'))).toEqual([]);
        expect(readdirSync(join(place.objects, '.tmp'))).toEqual([]);
        const files = readdirSync(place.root, { recursive: true }) as string[];
        expect(files.filter((file) => file.endsWith('~'))).toEqual([]);
        await stores.close();
      }
      expect(expected.objects.size).toBeGreaterThan(0);
    }),
  ROUNDS * 10_000,
);
