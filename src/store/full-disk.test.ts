/** A disk that really is full: uploads are refused in time or fail cleanly, reads and deletes go on. Needs root. */
import { expect, test } from 'bun:test';
import { readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addImage, codeOf, sha512, withPlace } from './stores-fixture.ts';
import { testDirectory } from './test-directory.ts';
import type { Stores } from './types.ts';

const mount = (path: string) =>
  Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=6m', 'none', path], { stderr: 'ignore' }).exitCode === 0;
const unmount = (path: string) => Bun.spawnSync(['umount', path]);

/** Nothing stays mounted between tests, so that nothing is left behind by a run that is cut short elsewhere. */
async function withSmallDisk(run: (path: string) => Promise<void>): Promise<void> {
  const path = testDirectory('full-disk-');
  const mounted = mount(path);
  try {
    expect(mounted).toBe(true);
    await run(path);
  } finally {
    if (mounted) unmount(path);
    rmdirSync(path);
  }
}

function mayMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const path = testDirectory('full-disk-');
  const mounted = mount(path);
  if (mounted) unmount(path);
  rmdirSync(path);
  return mounted;
}

async function put(stores: Stores, text: string): Promise<string> {
  const upload = stores.objects.upload();
  try {
    const data = Buffer.from(text);
    const { hash } = await upload.put({ length: data.length, expected: undefined, data });
    await upload.commit();
    return hash;
  } finally {
    upload.close();
  }
}

test.skipIf(!mayMount()).each([0, 1024 * 1024])('with %d bytes to be left free', (minFreeBytes) =>
  withSmallDisk((disk) =>
    withPlace(async (place) => {
      const stores = await place.open({ minFreeBytes, objectGraceMs: 0, startPercent: 99 });
      await stores.ready;
      await addImage(stores, 'kept', ['kept contents']);
      const hashes: string[] = [];
      let code = '';
      for (let index = 0; index < 200 && !code; index++) {
        place.clock.now += 10_000;
        const text = `${index} `.repeat(30_000);
        try {
          hashes.push(await put(stores, text));
          // An image refers to them: nothing can be collected.
          await addImage(stores, `image${index}`, [text]);
        } catch (thrown) {
          code = (thrown as { code: string }).code;
        }
      }
      expect(['NO_SPACE', 'ENOSPC']).toContain(code);
      if (minFreeBytes > 0) {
        expect(code).toBe('NO_SPACE');
        expect(stores.objects.space().free).toBeGreaterThan(minFreeBytes / 2);
      } else writeFileSync(join(place.root, 'rest'), '');
      // To the brim.
      try {
        for (;;) writeFileSync(join(place.root, 'rest'), Buffer.alloc(4096), { flag: 'a' });
      } catch {
        // Full now.
      }
      expect((await stores.images.read('kept')).bytes.length).toBeGreaterThan(0);
      stores.objects.open(sha512('kept contents')).close();
      expect(await codeOf(addImage(stores, 'more', ['more contents'.repeat(10_000)]))).toMatch(
        /NO_SPACE|ENOSPC/,
      );
      expect(await codeOf(stores.images.remove('kept'))).toBe('no error');
      expect(stores.images.has('kept')).toBe(false);
      expect(readdirSync(join(place.objects, '.tmp'))).toEqual([]);
      expect(readdirSync(join(place.images, '.tmp'))).toEqual([]);
      rmSync(join(place.root, 'rest'));
      await stores.close();
      const again = await place.open({ minFreeBytes: 0 });
      await again.ready;
      expect(again.damages().filter(({ kind }) => kind !== 'index')).toEqual([]);
      for (const hash of hashes) {
        const path = join(place.objects, hash.slice(0, 2), hash.slice(2, 4), hash.slice(4));
        expect(sha512(readFileSync(path))).toBe(hash);
        expect(again.objects.size(hash)).toBeGreaterThan(0);
      }
      // Deleting makes room again.
      for (const name of [...again.images.names()]) await again.images.remove(name);
      for (const { id } of again.images.trash()) await again.images.purge(id);
      place.clock.now += 3_600_000;
      await again.objects.collect(() => true);
      await addImage(again, 'fits again', ['small'.repeat(100_000)]);
    }, disk),
  ),
);
