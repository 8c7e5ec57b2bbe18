import { expect, test } from 'bun:test';
import { makeImage } from '../../bench/made-image.ts';
import { decodeImage, encodeImage } from '../wire/encoded-image.ts';
import { EncodedInodes } from '../wire/encoded-inodes.ts';
import { InodePlaces } from '../wire/inode-places.ts';
import { toJson } from '../wire/json.ts';
import type { FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
import { Image } from '../wire/messages/image.ts';
import { encodeText } from '../wire/text.ts';
import { encodedListing } from './encoded-listing.ts';
import { listingLines } from './listing.ts';
import { UTC } from './zone.ts';

const LARGE = 2n ** 63n + 5n;
const owner = { Uid: 70_000, Gid: 4_000_000_000 };
const HASH = 'ab'.repeat(64);

/** Whatever an inode may be, and names that HTML or JSON would take for something else. */
function oddImage(): Image {
  const time = { MtimeSeconds: -5n, MtimeNanoSeconds: 1 };
  const inodes: [bigint, GenericInode, string][] = [
    [1n, { Kind: 'regular', Mode: 0o104755, ...owner, ...time, Size: 0n, Hash: '0'.repeat(128) }, 'empty'],
    [2n, { Kind: 'regular', Mode: 0o100644, ...owner, ...time, Size: 2n ** 64n - 1n, Hash: HASH }, '<b>&"\''],
    [LARGE, { Kind: 'regular', Mode: 0, ...owner, ...time, Size: 99_999_999_999n, Hash: HASH }, 'ünï'],
    [4n, { Kind: 'symlink', ...owner, Symlink: '../<x>\udc80' }, '\udcffname'],
    [5n, { Kind: 'special', Mode: 0o20666, ...owner, ...time, Rdev: 2n ** 60n }, 'device'],
    [6n, { Kind: 'special', Mode: 0o10600, ...owner, ...time, Rdev: 0n }, 'fifo'],
    [7n, { Kind: 'computed', Mode: 0o100600, ...owner, Source: 'a>b' }, 'computed'],
    [
      8n,
      {
        Kind: 'directory',
        Mode: 0o41777,
        ...owner,
        EntriesByName: null,
        EntryList: [
          { Name: 'again', InodeNumber: LARGE },
          { Name: 'x'.repeat(255), InodeNumber: 2n },
        ],
      },
      'd',
    ],
  ];
  const image = makeImage(1);
  const tree = image.FileSystem as FileSystem;
  tree.InodeTable = new Map(inodes.map(([number, inode]) => [number, inode]));
  tree.DirectoryInode.EntryList = inodes.map(([InodeNumber, , Name]) => ({ Name, InodeNumber }));
  return image;
}

test.each([
  ['an image as there are many', makeImage(5000)],
  ['an odd one', oddImage()],
])('lines, inodes and JSON are those of the decoded tree: %s', async (_what, made) => {
  const { bytes } = encodeImage(made);
  const { image, places } = await InodePlaces.of(bytes);
  const decoded = await decodeImage(bytes);
  const tree = decoded.FileSystem as FileSystem;
  const root = (image.FileSystem as FileSystem).DirectoryInode;
  const inodes = new EncodedInodes({ places });
  const pieces = Buffer.concat([...encodedListing(inodes, root, { zone: UTC })]);
  const lines = [...listingLines(tree, { zone: UTC })].map((line) => `${Bun.escapeHTML(line)}\n`);
  expect(pieces.equals(encodeText(lines.join('')))).toBe(true);
  expect(new Map(inodes)).toEqual(tree.InodeTable as never);
  expect(inodes.get(3_000_000n)).toBeUndefined();
  const view = { ...image, FileSystem: { ...image.FileSystem, InodeTable: inodes } };
  expect(toJson(Image, view)).toBe(toJson(Image, decoded));
});

test('what is not plain ASCII is spelled out, also in the names of the directories above, and long lines have room', async () => {
  const made = oddImage();
  const tree = made.FileSystem as FileSystem;
  const directory = tree.InodeTable?.get(8n);
  if (directory?.Kind !== 'directory') throw new Error('no directory');
  directory.EntryList.push({ Name: '&'.repeat(200_000), InodeNumber: 4n });
  tree.DirectoryInode.EntryList.push(
    { Name: 'ö&\u001b[1mbold', InodeNumber: 8n },
    { Name: 'a&b', InodeNumber: 8n },
  );
  const { image, places } = await InodePlaces.of(encodeImage(made).bytes);
  const root = (image.FileSystem as FileSystem).DirectoryInode;
  const visible = (text: string) => text.replace(/[^ -~]/g, (char) => `{${char.charCodeAt(0).toString(16)}}`);
  const pieces = Buffer.concat([
    ...encodedListing(new EncodedInodes({ places }), root, { zone: UTC, visible }),
  ]);
  const lines = [...listingLines(tree, { zone: UTC })].map((line) => `${Bun.escapeHTML(visible(line))}\n`);
  expect(pieces.toString()).toBe(lines.join(''));
});

test('an entry that leads nowhere is told', async () => {
  const made = oddImage();
  (made.FileSystem as FileSystem).InodeTable?.delete(5n);
  const { image, places } = await InodePlaces.of(encodeImage(made).bytes);
  const root = (image.FileSystem as FileSystem).DirectoryInode;
  expect(() => [...encodedListing(new EncodedInodes({ places }), root, { zone: UTC })]).toThrow(
    'no inode for: /device',
  );
});
