import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { describeWithVectors, haveVectors, vectorsPath } from '../../test/vectors.ts';
import {
  addImageRequest,
  decodeImage,
  encodeImage,
  getImageReply,
  patchImage,
  readImageReply,
  readImageUpload,
  scanImage,
} from './encoded-image.ts';
import { BufferSource, decodeOnce } from './gob/decoder.ts';
import { encodeOnce } from './gob/encoder.ts';
import { Image } from './messages/image.ts';
import { AddImageRequest, GetImageResponse } from './messages/imageserver.ts';
import { timeFromMillis, ZERO_TIME } from './time.ts';

const HASH = 'ab'.repeat(64);
const directory = (entries: [string, bigint][]) => ({
  EntryList: entries.map(([Name, InodeNumber]) => ({ Name, InodeNumber })),
  EntriesByName: null,
  Mode: 0o40755,
  Uid: 0,
  Gid: 0,
});

/** An image with each kind of inode, whose type definitions interrupt its value. */
export function sampleImage(): Image {
  return {
    BuildBranch: 'main',
    BuildCommitId: '',
    BuildGitUrl: '',
    CreatedBy: '',
    CreatedFor: '',
    Filter: { FilterLines: ['/tmp/.*'] },
    FileSystem: {
      InodeTable: new Map([
        [
          1n,
          {
            Kind: 'regular' as const,
            Mode: 0o100644,
            Uid: 1,
            Gid: 2,
            MtimeNanoSeconds: 3,
            MtimeSeconds: -4n,
            Size: 5n,
            Hash: HASH,
          },
        ],
        [2n, { Kind: 'symlink' as const, Uid: 0, Gid: 0, Symlink: 'a\udcffb' }],
        [3n, { Kind: 'directory' as const, ...directory([['deep', 1n]]) }],
        [4n, { Kind: 'computed' as const, Mode: 0o100600, Uid: 0, Gid: 0, Source: 'host:1' }],
        [
          5n,
          {
            Kind: 'special' as const,
            Mode: 0o20666,
            Uid: 0,
            Gid: 0,
            MtimeNanoSeconds: 0,
            MtimeSeconds: 1n,
            Rdev: 0x103n,
          },
        ],
      ]),
      NumRegularInodes: 1n,
      TotalDataBytes: 5n,
      DirectoryCount: 2n,
      DirectoryInode: directory([
        ['file', 1n],
        ['link', 2n],
        ['dir', 3n],
        ['computed', 4n],
        ['null', 5n],
      ]),
    },
    Triggers: null,
    ReleaseNotes: { Object: HASH, URL: '' },
    BuildLog: null,
    CreatedOn: ZERO_TIME,
    ExpiresAt: ZERO_TIME,
    OwnerGroups: [],
    OwnerUsers: [],
    Packages: [{ Name: 'p', Size: 1n, Version: '2' }],
    SourceImage: '',
    Tags: new Map([['k', 'v']]),
  };
}

const images: [string, Uint8Array][] = [['sample', encodeImage(sampleImage()).bytes]];
if (haveVectors)
  for (const vector of JSON.parse(readFileSync(vectorsPath('gob', 'filesystem.json'), 'utf8')) as {
    name: string;
    goType: string;
    hex: string;
  }[])
    if (vector.goType === 'image.Image') images.push([vector.name, Buffer.from(vector.hex, 'hex')]);

describe('encoded images', () => {
  for (const [name, bytes] of images) {
    describe(name, () => {
      const whole = decodeOnce(Image, bytes).value;
      test('a spliced reply decodes to the image', async () => {
        const reply = Buffer.concat(getImageReply(bytes));
        expect(decodeOnce(GetImageResponse, reply)).toEqual({ value: { Image: whole }, used: reply.length });
        const back = await readImageReply(new BufferSource(reply));
        expect(await decodeImage(back?.bytes as Uint8Array)).toEqual(whole);
      });
      test('a spliced request decodes to the name and the image', () => {
        for (const ImageName of ['a/b', '']) {
          const request = Buffer.concat(addImageRequest(ImageName, bytes));
          expect(decodeOnce(AddImageRequest, request)).toEqual({
            value: { ImageName, Image: whole },
            used: request.length,
          });
        }
      });
      test('an upload is cut out of its request', async () => {
        const request = encodeOnce(AddImageRequest, { ImageName: 'a/b', Image: whole });
        const { ImageName, image } = await readImageUpload(new BufferSource(request));
        expect(ImageName).toBe('a/b');
        expect(await decodeImage(image?.bytes as Uint8Array)).toEqual(whole);
        const { layout, ...summary } = await scanImage(image?.bytes as Uint8Array);
        expect(image?.summary).toEqual({ ...summary, ...(layout ? { layout } : {}) });
      });
      test('fields are replaced', async () => {
        const on = timeFromMillis(1_700_000_000_123);
        const patched = await patchImage({ bytes }, { createdBy: 'alice', createdOn: on, expiresAt: on });
        const wanted = { ...whole, CreatedBy: 'alice', CreatedOn: on, ExpiresAt: on };
        expect(await decodeImage(patched.bytes)).toEqual(wanted);
        expect(patched.summary?.header).toEqual({ ...wanted, FileSystem: null });
        const again = await patchImage(patched, { createdBy: '' });
        expect(await decodeImage(again.bytes)).toEqual({ ...wanted, CreatedBy: '' });
      });
      test('every cut ends in an error', async () => {
        for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 200))
          expect(scanImage(bytes.subarray(0, length))).rejects.toThrow();
      });
    });
  }

  test('a scan finds objects, counts and problems', async () => {
    const image = sampleImage();
    image.FileSystem?.DirectoryInode.EntryList.push(
      { Name: 'computed2', InodeNumber: 4n },
      { Name: '..', InodeNumber: 99n },
    );
    const summary = await scanImage(encodeImage(image).bytes);
    expect(Buffer.from(summary.hashes).toString('hex')).toBe(HASH);
    expect([...summary.sizes]).toEqual([5]);
    expect(summary.annotations).toEqual([HASH]);
    expect(summary.counts).toEqual({
      regular: 1,
      computed: 1,
      symlink: 1,
      special: 1,
      directory: 1,
      inodes: 5,
    });
    expect(summary.problems).toEqual([
      'bad name of a directory entry: ".."',
      'duplicate computed inode: computed2',
      'no inode 99 for an entry of the root directory',
    ]);
  });
});

describeWithVectors('vectors', () => {
  test('there are images among them', () => expect(images.length).toBeGreaterThan(1));
});
