import { expect, test } from 'bun:test';
import type { ImageEntry, ImageStore } from '../store/types.ts';
import type { Directory } from '../wire/messages/image.ts';
import { listedUpdates } from './listed-updates.ts';

const directoryOf = (name: string): Directory => ({ Name: name, Metadata: { OwnerGroup: '' } });

function storeOf(count: number) {
  const state = {
    generation: 0,
    list: Array.from({ length: count }, (_, index) => directoryOf(`${'a long name '.repeat(10)}${index}`)),
  };
  const images = {
    get generation() {
      return state.generation;
    },
    directories: () => state.list,
    entries: () => [{ name: 'image' } as ImageEntry],
  } as unknown as ImageStore;
  return { state, images };
}

test('everything in its order, in pieces that are worth sending and not longer; the first update alone', async () => {
  const { state, images } = storeOf(3000);
  const batches = await listedUpdates(images);
  const names = batches.flatMap(({ items }) => items.map(({ Name, Directory }) => Directory?.Name ?? Name));
  expect(names).toEqual([...state.list.map(({ Name }) => Name), 'image']);
  expect(batches[0]?.items).toHaveLength(1);
  const largest = Math.max(...batches.map(({ items }) => JSON.stringify(items).length));
  expect(largest).toBeLessThan(64 * 1024);
  expect(batches.length).toBeLessThan(40);
});

test('who asks while nothing changes gets the same; a change leaves other batches as they are', async () => {
  const { state, images } = storeOf(5000);
  const before = await listedUpdates(images);
  expect(await listedUpdates(images)).toBe(before);
  state.list = state.list.toSpliced(2500, 0, directoryOf('new'));
  state.list = state.list.toSpliced(1000, 1);
  state.generation++;
  const after = await listedUpdates(images);
  const kept = new Set(before);
  expect(after.flatMap(({ items }) => items)).toHaveLength(5001);
  // The two that were touched, and that of the image, whose entry is another object here.
  expect(after.filter((batch) => !kept.has(batch)).length).toBeLessThanOrEqual(4);
});
