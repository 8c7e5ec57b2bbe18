import { expect, test } from 'bun:test';
import { makeImage } from '../../bench/made-image.ts';
import { encodeImage } from '../wire/encoded-image.ts';
import { ImageTrees } from './image-trees.ts';

const INODES = 2000;
const { bytes } = encodeImage(makeImage(INODES));
/** More than may be in memory at once. */
const NAMES = Array.from({ length: 5 }, (_, index) => `image.${index}`);

function makeTrees() {
  /** Those that have been let go of are empty. */
  const held: Uint8Array[] = [];
  let most = 0;
  const trees = new ImageTrees(async (name) => {
    const own = new Uint8Array(bytes);
    held.push(own);
    most = Math.max(most, held.filter(({ length }) => length > 0).length);
    return { identity: name, bytes: own };
  }, bytes.length * 3);
  return { trees, most: () => most };
}

test('few are in memory however many are open, and each goes on where it was', async () => {
  const { trees, most } = makeTrees();
  const open = await Promise.all(NAMES.map((name) => trees.open(name, name)));
  const walks = open.map(({ image }) => image.FileSystem?.InodeTable?.keys() as Iterator<bigint>);
  const counts = open.map(() => 0);
  for (let done = 0; done < open.length; )
    for (const [index, tree] of open.entries()) {
      await tree.use();
      for (let step = 0; step < INODES / 2 + 1; step++) {
        const { done: over } = walks[index]?.next() ?? {};
        if (over) done++;
        if (over) break;
        counts[index]!++;
      }
    }
  expect(counts).toEqual(NAMES.map(() => INODES));
  expect(most()).toBeLessThan(5);
});

test('who has gone is not loaded for, and what was replaced is not taken for what was asked for', async () => {
  const { trees } = makeTrees();
  const gone = AbortSignal.abort();
  expect(trees.open('a', 'a', gone)).rejects.toThrow('the caller has gone');
  expect(trees.open('a', 'other')).rejects.toThrow('image: a has been replaced meanwhile');
  await trees.open('a', 'a');
});
