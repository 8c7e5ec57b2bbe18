/** Whatever bytes come, reading them ends soon, in a value or in an error that says INVALID_REQUEST. */
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { haveVectors, vectorsPath } from '../../test/vectors.ts';
import { ImageServerError } from '../errors.ts';
import { addImageRequest, encodeImage, patchImage, readImageUpload, scanImage } from './encoded-image.ts';
import { BufferSource, decodeOnce } from './gob/decoder.ts';
import { encodeOnce } from './gob/encoder.ts';
import { GobWriter } from './gob/writer.ts';
import { sampleImage } from './image-fixture.ts';
import { Image } from './messages/image.ts';
import { FindLatestImageRequest, GetImageRequest, ImageUpdate } from './messages/imageserver.ts';
import { AddObjectResponse, GetObjectsRequest } from './messages/objectserver.ts';
import * as s from './schema.ts';
import { timeFromMillis, ZERO_TIME } from './time.ts';

const image = encodeImage(sampleImage()).bytes;
const schemas: s.Schema[] = [
  Image,
  ImageUpdate,
  GetImageRequest,
  GetObjectsRequest,
  AddObjectResponse,
  FindLatestImageRequest,
];
const seeds: Uint8Array[] = [
  image,
  Buffer.concat(addImageRequest('a/b', image)),
  encodeOnce(FindLatestImageRequest, {
    BuildCommitId: 'x',
    DirectoryName: 'y',
    IgnoreExpiringImages: true,
    TagsToMatch: new Map([['k', ['v', 'w']]]),
  }),
  encodeOnce(GetObjectsRequest, { Exclusive: true, Hashes: ['ab'.repeat(64), '12'.repeat(64)] }),
];
if (haveVectors)
  for (const file of readdirSync(vectorsPath('gob')))
    for (const { hex } of JSON.parse(readFileSync(vectorsPath('gob', file), 'utf8')) as { hex: string }[])
      if (hex.length < 4000) seeds.push(Buffer.from(hex, 'hex'));

/** Every error must be one of ours. */
function expectTyped(error: unknown): void {
  if (!(error instanceof ImageServerError)) throw error;
  expect(error.code).toBe('INVALID_REQUEST');
}
function decodeAll(bytes: Uint8Array): void {
  for (const schema of schemas)
    try {
      decodeOnce(schema, bytes);
    } catch (error) {
      expectTyped(error);
    }
}
async function walkAll(bytes: Uint8Array): Promise<void> {
  const decoded = (() => {
    try {
      return decodeOnce(Image, bytes);
    } catch (error) {
      expectTyped(error);
      return undefined;
    }
  })();
  try {
    const summary = await scanImage(bytes);
    // The walk takes exactly what the decoder takes.
    expect(decoded?.used).toBe(summary.gobLength);
    expect(summary.header).toEqual({ ...(decoded?.value as Image), FileSystem: null });
    const patched = await patchImage({ bytes, summary }, { createdOn: timeFromMillis(1) });
    const again = decodeOnce(Image, patched.bytes).value;
    expect(again).toEqual({ ...(decoded?.value as Image), CreatedOn: timeFromMillis(1) });
  } catch (error) {
    expectTyped(error);
    expect(decoded).toBeUndefined();
  }
  await readImageUpload(new BufferSource(bytes)).catch(expectTyped);
}

const seed = fc.constantFrom(...seeds);
/** Single bytes replaced, runs taken out or put in twice. */
const mutated = fc
  .tuple(
    seed,
    fc.array(fc.tuple(fc.nat(), fc.constantFrom('set', 'drop', 'twice'), fc.nat(255), fc.nat(20)), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([bytes, changes]) => {
    let result = Buffer.from(bytes);
    for (const [where, what, value, length] of changes) {
      const at = where % (result.length + 1);
      if (what === 'set' && at < result.length) result[at] = value;
      else if (what === 'drop')
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + length)]);
      else if (what === 'twice')
        result = Buffer.concat([
          result.subarray(0, at),
          result.subarray(at, at + length),
          result.subarray(at),
        ]);
    }
    return result;
  });

describe('hostile gob', () => {
  test('random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), decodeAll), { numRuns: 300 });
  });
  test('altered messages', () => {
    fc.assert(fc.property(mutated, decodeAll), { numRuns: 1000 });
  });
  test('altered images', async () => {
    await fc.assert(
      fc.asyncProperty(
        mutated.filter((bytes) => bytes.length > 0),
        walkAll,
      ),
      { numRuns: 600 },
    );
  });
  test('every cut of an image', async () => {
    for (let length = 0; length < image.length; length++) {
      const part = image.subarray(0, length);
      expect(() => decodeOnce(Image, part)).toThrow(ImageServerError);
      await expect(scanImage(part)).rejects.toThrow(ImageServerError);
    }
  });
});

/** A message: its count and what `write` puts into it. */
function message(write: (writer: GobWriter) => void): Uint8Array {
  const inner = new GobWriter();
  write(inner);
  const outer = new GobWriter();
  outer.bytes(inner.take());
  return outer.take();
}
/** Defines a struct with fields of the given types. */
const defineStruct = (id: number, fields: [string, number][]) =>
  message((writer) => {
    writer.int(-id);
    for (const byte of [3, 1, 2]) writer.byte(byte);
    writer.int(id);
    for (const byte of [0, 1]) writer.byte(byte);
    writer.uint(fields.length);
    for (const [name, type] of fields) {
      writer.byte(1);
      writer.text(name);
      writer.byte(1);
      writer.int(type);
      writer.byte(0);
    }
    writer.byte(0);
    writer.byte(0);
  });
const defineSlice = (id: number, elem: number) =>
  message((writer) => {
    writer.int(-id);
    for (const byte of [2, 1, 2]) writer.byte(byte);
    writer.int(id);
    for (const byte of [0, 1]) writer.byte(byte);
    writer.int(elem);
    writer.byte(0);
    writer.byte(0);
  });
const value = (id: number, ...bytes: number[]) =>
  message((writer) => {
    writer.int(id);
    for (const byte of bytes) writer.byte(byte);
  });

describe('gob made to hurt', () => {
  const Tree = { kind: 'struct', goName: 't.Tree', fields: new Map(), docs: {} } as s.StructSchema;
  (Tree.fields as Map<string, s.Field>).set('Kids', {
    schema: s.slice(s.pointer(Tree)),
    embedded: false,
    omitEmpty: false,
  });
  const huge = [0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  const deep = Array.from({ length: 100_000 }, () => [1, 1]).flat();
  const tree = (body: number[]) => [
    defineStruct(65, [['Kids', 66]]),
    defineSlice(66, 65),
    value(65, ...body),
  ];
  const cases: [string, s.Schema, Uint8Array[]][] = [
    ['a huge count of elements', Tree, tree([1, ...huge, 0])],
    ['a huge count of bytes', GetImageRequest, [defineStruct(65, [['ImageName', 6]]), value(65, 1, ...huge)]],
    ['deep nesting', Tree, tree(deep)],
    [
      'deep nesting of what is skipped',
      GetImageRequest,
      [
        defineStruct(65, [
          ['ImageName', 6],
          ['Kids', 66],
        ]),
        defineSlice(66, 65),
        value(65, ...deep.map((byte, at) => (at % 2 ? byte : 2))),
      ],
    ],
    ['a type that is itself', GetImageRequest, [defineSlice(65, 65), value(65, 0, ...deep)]],
    ['a field that is itself', GetImageRequest, [defineStruct(65, [['ImageName', 65]]), value(65, ...deep)]],
    [
      'endless definitions',
      GetImageRequest,
      Array.from({ length: 100_000 }, (_, at) => defineSlice(65 + at, 6)),
    ],
    [
      'a definition of many fields',
      GetImageRequest,
      [
        defineStruct(
          65,
          Array.from({ length: 60_000 }, (_, at) => [`f${at}`, 6]),
        ),
        value(65, 0),
      ],
    ],
    [
      'an interface name that never ends',
      ImageUpdate,
      [
        defineStruct(65, [
          ['Name', 6],
          ['Any', 8],
        ]),
        value(65, 2, 0xfd, 0xff, 0xff, 0xff, 0x41),
      ],
    ],
    [
      'interfaces inside interfaces',
      ImageUpdate,
      [
        defineStruct(65, [
          ['Name', 6],
          ['Any', 66],
        ]),
        defineSlice(66, 8),
        value(65, 2, ...Array.from({ length: 50_000 }, () => [1, 1, 0x41, 0xff, 132, 9, 0]).flat()),
      ],
    ],
    [
      'a huge count of interfaces',
      ImageUpdate,
      [
        defineStruct(65, [
          ['Name', 6],
          ['Any', 66],
        ]),
        defineSlice(66, 8),
        value(65, 2, ...huge, 0, 0, 0),
      ],
    ],
    [
      'a huge count of inodes',
      s.map(s.uint64, s.union({ a: ['*t.A', s.struct('t.A', {})] })),
      [
        message((writer) => {
          writer.int(-65);
          for (const byte of [4, 1, 2]) writer.byte(byte);
          writer.int(65);
          for (const byte of [0, 1, 6, 1, 16, 0, 0]) writer.byte(byte);
        }),
        value(65, 0, ...huge, 1, 0, 1, 0),
      ],
    ],
  ];
  for (const [name, schema, messages] of cases)
    test(name, () => {
      const bytes = Buffer.concat(messages);
      const start = performance.now();
      expect(() => decodeOnce(schema, bytes)).toThrow(ImageServerError);
      expect(performance.now() - start).toBeLessThan(2000);
    });

  test('an element of one byte does not become an object each without end', () => {
    const Pack = s.struct('t.P', { P: s.slice(Image) });
    const bytes = Buffer.concat([
      defineStruct(65, [['P', 66]]),
      defineSlice(66, 67),
      defineStruct(67, []),
      value(65, 1, 0xfd, 0x01, 0x86, 0xa0, ...new Array(100_000).fill(0)),
    ]);
    expect(decodeOnce(Pack, bytes).value.P.length).toBe(100_000);
    expect(() => decodeOnce(Pack, bytes, { memory: 1_000_000 })).toThrow('too much memory');
  });
  test('directories in a circle', async () => {
    const made = sampleImage();
    const inode = made.FileSystem?.InodeTable?.get(3n);
    if (inode?.Kind === 'directory') inode.EntryList.push({ Name: 'self', InodeNumber: 3n });
    expect((await scanImage(encodeImage(made).bytes)).problems).toEqual([
      'directory contains itself: directory 3',
    ]);
  });
  test('large inode numbers are kept apart', async () => {
    const made = sampleImage();
    const inode = made.FileSystem?.InodeTable?.get(2n);
    const numbers = [2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n];
    for (const number of numbers.slice(0, 2)) made.FileSystem?.InodeTable?.set(number, inode ?? null);
    made.FileSystem?.DirectoryInode.EntryList.push(
      ...numbers.map((InodeNumber, at) => ({ Name: `n${at}`, InodeNumber })),
    );
    const { problems, counts } = await scanImage(encodeImage(made).bytes);
    expect(problems).toEqual([`no inode ${2n ** 64n - 1n} for an entry of the root directory`]);
    expect(counts.inodes).toBe(7);
  });
  test('a nil inode is told', async () => {
    const made = sampleImage();
    made.FileSystem?.InodeTable?.set(7n, null);
    expect((await scanImage(encodeImage(made).bytes)).problems).toEqual(['nil entry in inode table: 7']);
  });
  test('no file-system, no image', async () => {
    const summary = await scanImage(encodeImage({ ...sampleImage(), FileSystem: null }).bytes);
    expect(summary.hasFileSystem).toBe(false);
    expect(summary.header.ExpiresAt).toEqual(ZERO_TIME);
  });
});
