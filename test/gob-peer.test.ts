/** Go's own encoding/gob and encoding/json as judge of ours. Skipped where there is no Go. */
import { beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  addImageRequest,
  decodeImage,
  encodeImage,
  getImageReply,
  patchImage,
  readImageReply,
  readImageUpload,
  scanImage,
} from '../src/wire/encoded-image.ts';
import { BufferSource, decodeOnce } from '../src/wire/gob/decoder.ts';
import { encodeOnce } from '../src/wire/gob/encoder.ts';
import { sampleImage } from '../src/wire/image-fixture.ts';
import { toGoJson } from '../src/wire/json.ts';
import { Image } from '../src/wire/messages/image.ts';
import {
  AddImageRequest,
  FindLatestImageRequest,
  GetImageResponse,
} from '../src/wire/messages/imageserver.ts';
import { timeFromMillis } from '../src/wire/time.ts';

const go = Bun.which('go');
const program = join(mkdtempSync(join(tmpdir(), 'gobpeer-')), 'gobpeer');

function peer(args: string[], input: Uint8Array = new Uint8Array(0)): Buffer {
  const { exitCode, stdout, stderr } = Bun.spawnSync([program, ...args], { stdin: input });
  if (exitCode !== 0) throw new Error(`gobpeer ${args.join(' ')}: ${stderr}`);
  return Buffer.from(stdout);
}

/** Without the zone, which Go's JSON prints but keeps no meaning, and sorted as we keep it. */
const image = sampleImage();
const encoded = encodeImage(image).bytes;
const whole = decodeOnce(Image, encoded).value;

(go ? describe : describe.skip)('a Go peer', () => {
  beforeAll(() => {
    const built = Bun.spawnSync([go as string, 'build', '-o', program, 'main.go'], {
      cwd: join(import.meta.dir, 'go', 'gobpeer'),
      env: { ...process.env, GO111MODULE: 'off', CGO_ENABLED: '0' },
    });
    if (built.exitCode !== 0) throw new Error(String(built.stderr));
  }, 120_000);

  test('reads what we encode, and we read what it makes of it', () => {
    expect(decodeOnce(Image, peer(['copy', 'Image'], encoded)).value).toEqual(whole);
    const request = { ImageName: 'x/y', Image: whole };
    const copy = peer(['copy', 'AddImageRequest'], encodeOnce(AddImageRequest, request));
    expect(decodeOnce(AddImageRequest, copy)).toEqual({ value: request, used: copy.length });
    const find = {
      BuildCommitId: '',
      DirectoryName: 'd\udcff',
      IgnoreExpiringImages: true,
      TagsToMatch: new Map([['k', ['v', '']]]),
    };
    const found = peer(['copy', 'FindLatestImageRequest'], encodeOnce(FindLatestImageRequest, find));
    expect(decodeOnce(FindLatestImageRequest, found).value).toEqual(find);
  });
  test('reads spliced replies and requests', () => {
    const reply = Buffer.concat(getImageReply(encoded));
    expect(decodeOnce(GetImageResponse, peer(['copy', 'GetImageResponse'], reply)).value).toEqual({
      Image: whole,
    });
    for (const ImageName of ['', 'a/b']) {
      const request = Buffer.concat(addImageRequest(ImageName, encoded));
      expect(decodeOnce(AddImageRequest, peer(['copy', 'AddImageRequest'], request)).value).toEqual({
        ImageName,
        Image: whole,
      });
    }
  });
  test('reads patched images', async () => {
    const when = timeFromMillis(1_700_000_000_123);
    const patched = await patchImage(
      { bytes: encoded },
      { createdBy: 'alice', createdOn: when, expiresAt: when },
    );
    const copy = decodeOnce(Image, peer(['copy', 'Image'], patched.bytes)).value;
    expect(copy).toEqual({ ...whole, CreatedBy: 'alice', CreatedOn: when, ExpiresAt: when });
  });
  for (const count of [0, 1, 4, 5, 1000])
    test(`its image of ${count} inodes`, async () => {
      const made = peer(['make', 'Image', String(count)]);
      const value = await decodeImage(made);
      expect(value.FileSystem?.InodeTable?.size).toBe(count);
      const summary = await scanImage(made);
      expect(summary.gobLength).toBe(made.length);
      expect(summary.problems).toEqual([]);
      expect(summary.counts.inodes).toBe(count);
      // Ours is what it reads, and its JSON is ours.
      const again = encodeImage(value).bytes;
      expect(decodeOnce(Image, peer(['copy', 'Image'], again)).value).toEqual(value);
      expect(`${toGoJson(Image, value)}\n`).toBe(peer(['json', 'Image'], made).toString());
      const { ImageName, image: upload } = await readImageUpload(
        new BufferSource(peer(['make', 'AddImageRequest', String(count)])),
      );
      expect(ImageName).toBe('a/b');
      const reply = Buffer.concat(getImageReply(upload?.bytes as Uint8Array));
      const copy = decodeOnce(GetImageResponse, peer(['copy', 'GetImageResponse'], reply)).value;
      expect(copy.Image?.FileSystem).toEqual(value.FileSystem);
      expect(copy.Image?.CreatedBy).toBe('x');
    });

  test('fields that we do not know are kept', async () => {
    const request = peer(['make', 'NewerAddImageRequest', '6']);
    const { ImageName, image: upload } = await readImageUpload(new BufferSource(request));
    expect(ImageName).toBe('c/d');
    const bytes = upload?.bytes as Uint8Array;
    const newer = JSON.parse(peer(['json', 'NewerImage'], bytes).toString());
    expect(newer.Novelty).toEqual({ a: '2031-02-03T04:05:06.000000007+01:30' });
    expect(newer.Anything).toEqual({ Name: 'inner', Size: 1, Version: '2' });
    const patched = await patchImage(upload as { bytes: Uint8Array }, {
      createdBy: 'bob',
      createdOn: timeFromMillis(0),
    });
    const reply = Buffer.concat(getImageReply(patched.bytes));
    const { Image: seen } = JSON.parse(peer(['json', 'NewerGetImageResponse'], reply).toString());
    expect(seen).toEqual({ ...newer, CreatedBy: 'bob', CreatedOn: '1970-01-01T00:00:00Z' });
    expect((await readImageReply(new BufferSource(reply)))?.summary?.counts.inodes).toBe(6);
  });
  test('an image that does not begin in the first message is encoded anew', async () => {
    const request = peer(['make', 'InterruptedAddImageRequest', '6']);
    const { ImageName, image: upload } = await readImageUpload(new BufferSource(request));
    expect(ImageName).toBe('e/f');
    const copy = decodeOnce(Image, peer(['copy', 'Image'], upload?.bytes as Uint8Array)).value;
    expect(copy.FileSystem?.InodeTable?.size).toBe(6);
    expect(upload?.summary?.counts.inodes).toBe(6);
  });
  test('a sender whose images lack a field is encoded anew to set it', async () => {
    const made = peer(['make', 'NewerImage', '3']);
    const patched = await patchImage({ bytes: made }, { expiresAt: timeFromMillis(5) });
    expect((await decodeImage(patched.bytes)).ExpiresAt).toEqual(timeFromMillis(5));
  });
});
