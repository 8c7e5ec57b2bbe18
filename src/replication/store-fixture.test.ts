import { expect, test } from 'bun:test';
import { listedUpdates } from '../methods/listed-updates.ts';
import { encodeImage } from '../wire/encoded-image.ts';
import { imageOf, MemoryImages, MemoryObjects } from './store-fixture.ts';

test('the list for listeners is that of the moment, whatever has changed', async () => {
  const images = new MemoryImages(new MemoryObjects());
  const store = images.asStore();
  const listed = async () =>
    (await listedUpdates(store)).flatMap(({ items }) =>
      items.map(({ Name, Directory }) =>
        Directory ? `${Directory.Name}/ ${Directory.Metadata.OwnerGroup}` : Name,
      ),
    );
  const seen = [await listed()];
  const changes: (() => unknown)[] = [
    () => images.makeDirectory('d'),
    () => images.setOwnerGroup('d', 'games'),
    () => images.add('d/a', encodeImage(imageOf([]))),
    () => images.remove('d/a'),
    () => images.undelete('d/a'),
    () => images.stored.clear(),
    () => images.removeDirectory('d'),
  ];
  for (const change of changes) {
    await change();
    seen.push(await listed());
  }
  expect(seen).toEqual([
    ['./ '],
    ['./ ', 'd/ '],
    ['./ ', 'd/ games'],
    ['./ ', 'd/ games', 'd/a'],
    ['./ ', 'd/ games'],
    ['./ ', 'd/ games', 'd/a'],
    ['./ ', 'd/ games'],
    ['./ '],
  ]);
});
