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
import { HASH, sampleImage } from './image-fixture.ts';
import { Image } from './messages/image.ts';
import { AddImageRequest, GetImageResponse } from './messages/imageserver.ts';
import { timeFromMillis } from './time.ts';

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
