/**
 * A series of images as a fleet has them: each differs from the one before in a share of its files. Contents are small
 * and follow from their number, so that any object can be made again when it is needed.
 */
import { sha512 } from '../src/store/stores-fixture.ts';
import type { Image } from '../src/wire/messages/image.ts';
import { makeImage } from './made-image.ts';

export interface Series {
  /** Image number `index`; its objects are those of `contents` of all numbers up to it. */
  image(index: number): Image;
  /** Contents that image number `index` has and the one before had not. */
  contents(index: number): Buffer[];
}

/** One of `change` files differs from one image to the next. */
export function imageSeries(inodes: number, change = 50): Series {
  const first = makeImage(inodes);
  const table = first.FileSystem?.InodeTable ?? new Map();
  const regular = [...table].filter(([, inode]) => inode?.Kind === 'regular').map(([number]) => number);
  /** How often a file has changed up to an image. */
  const version = (file: number, index: number) =>
    Math.floor((index - (file % change) + change - 1) / change);
  const content = (file: number, index: number) =>
    Buffer.from(`file ${file} in version ${version(file, index)} of a series of ${inodes}\n`);
  return {
    image(index) {
      const changed = new Map(table);
      regular.forEach((number, file) => {
        const data = content(file, index);
        changed.set(number, { ...table.get(number), Size: BigInt(data.length), Hash: sha512(data) });
      });
      const fileSystem = { ...first.FileSystem, InodeTable: changed } as NonNullable<Image['FileSystem']>;
      return { ...first, FileSystem: fileSystem, BuildLog: null, BuildCommitId: `commit ${index}` };
    },
    contents: (index) =>
      regular.flatMap((_, file) =>
        index === 0 || version(file, index) !== version(file, index - 1) ? [content(file, index)] : [],
      ),
  };
}
