/** Directories written by the original: loaded, equal to what was recorded, written anew, loaded again. */
import { expect, test } from 'bun:test';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describeWithVectors, vectorsPath } from '../../test/vectors.ts';
import { decodeOnce } from '../wire/gob/decoder.ts';
import { Image } from '../wire/messages/image.ts';
import { openStores } from './open.ts';
import { sha512, withPlace } from './stores-fixture.ts';

interface Manifest {
  images: Record<string, { decoded: { sha512OfContent: string } }>;
  deletedTombstones: string[];
  directoryMetadata: Record<string, { value: { OwnerGroup: string } }>;
  unreferencedObjectsFile: { value: { Hash: { $hex: string }; Length: string }[] };
  files: { path: string; type: string; mode: string; size: number; sha512: string }[];
}

describeWithVectors('directories of the original', () => {
  const manifest = (): Manifest => JSON.parse(readFileSync(vectorsPath('storage', 'manifest.json'), 'utf8'));
  const unpack = (root: string) =>
    expect(Bun.spawnSync(['tar', 'xzf', vectorsPath('storage', 'storage.tar.gz'), '-C', root]).exitCode).toBe(
      0,
    );

  test('are loaded as they were recorded, with and without an index', () =>
    withPlace(async (place) => {
      unpack(place.root);
      const { images: expected, directoryMetadata, unreferencedObjectsFile, files } = manifest();
      for (const round of ['fresh', 'indexed']) {
        const stores = await place.open();
        await stores.ready;
        expect([round, stores.damages()]).toEqual([round, []]);
        expect([...stores.images.names()].sort()).toEqual(Object.keys(expected).sort());
        for (const [name, { decoded }] of Object.entries(expected)) {
          expect(stores.images.get(name)?.identity).toBe(decoded.sha512OfContent);
          const { bytes } = await stores.images.read(name);
          expect(sha512(bytes)).toBe(decoded.sha512OfContent);
          const { value, used } = decodeOnce(Image, bytes);
          expect(used).toBe(bytes.length);
          expect(await stores.images.header(name)).toEqual({ ...value, FileSystem: null });
          const { image } = await stores.images.tree(name);
          const FileSystem = image.FileSystem && {
            ...image.FileSystem,
            InodeTable: new Map(image.FileSystem.InodeTable),
          };
          expect<unknown>({ ...image, FileSystem }).toEqual(value);
        }
        expect(stores.images.directories()).toEqual(
          ['.', 'base', 'base/deep', 'base/deep/er', 'empty', 'unicode é☃'].map((Name) => ({
            Name,
            Metadata: { OwnerGroup: directoryMetadata[Name]?.value.OwnerGroup ?? '' },
          })),
        );
        const objects = files.filter(({ path, type }) => type === 'file' && path.startsWith('obj/'));
        expect(stores.objects.totals().objects).toBe(objects.length);
        for (const { sha512: hash, size } of objects) expect(stores.objects.size(hash)).toBe(size);
        expect([...stores.objects.unreferenced()].map(({ hash, size }) => [hash, String(size)])).toEqual(
          unreferencedObjectsFile.value.map(({ Hash, Length }) => [Hash.$hex, Length]),
        );
        await stores.close();
      }
    }));

  test('written anew they are equal', () =>
    withPlace(async (original) => {
      unpack(original.root);
      const from = await original.open();
      await from.ready;
      await withPlace(async (place) => {
        const to = await place.open();
        await to.ready;
        for (const { Name, Metadata } of from.images.directories())
          if (Name !== '.') await to.images.makeDirectory(Name, Metadata.OwnerGroup);
        const group = to.objects.upload();
        const hashes = manifest().files.flatMap(({ path, type, sha512: hash }) =>
          type === 'file' && path.startsWith('obj/') ? [hash] : [],
        );
        for (const hash of hashes) {
          const object = from.objects.open(hash);
          await group.put({ length: object.size, expected: hash, data: readFileSync(object.path) });
          object.close();
        }
        await group.commit();
        group.close();
        for (const name of from.images.names()) await to.images.add(name, await from.images.read(name));
        expect(to.objects.totals()).toEqual(from.objects.totals());
        for (const { path, type, mode, size, sha512: hash } of manifest().files) {
          if (type !== 'file' || size === 0 || path.endsWith('.metadata') || path.includes('/.')) continue;
          const copy = join(place.root, path);
          expect([path, sha512(readFileSync(copy))]).toEqual([path, hash]);
          expect(`0o${(statSync(copy).mode & 0o7777).toString(8)}`).toBe(mode);
        }
        await to.close();
        // The list of unreferenced objects has other times but the same form.
        const again = await openStores({ imageDirectory: place.images, objectDirectory: place.objects });
        await again.ready;
        expect(again.damages()).toEqual([]);
        expect(again.objects.totals()).toEqual(from.objects.totals());
        await again.close();
      });
    }));
});
