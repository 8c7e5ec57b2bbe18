import { describe, expect, test } from 'bun:test';
import { encodeImage } from './encoded-image.ts';
import { decodeOnce } from './gob/decoder.ts';
import { sampleImage } from './image-fixture.ts';
import { formatTime, fromGoJson, fromJson, parseTime, toGoJson, toJson } from './json.ts';
import { Image } from './messages/image.ts';
import {
  ChangeImageExpirationRequest,
  CheckImageRequest,
  DeleteUnreferencedObjectsRequest,
} from './messages/imageserver.ts';
import { CheckObjectsRequest, CheckObjectsResponse } from './messages/objectserver.ts';
import { timeFromNanos, ZERO_TIME } from './time.ts';

describe('JSON', () => {
  test('an image survives our form', () => {
    const image = decodeOnce(Image, encodeImage(sampleImage()).bytes).value;
    expect(fromJson(Image, toJson(Image, image))).toEqual(image);
  });
  test('times', () => {
    const cases: [bigint, string][] = [
      [0n, '1970-01-01T00:00:00Z'],
      [-1n, '1969-12-31T23:59:59.999999999Z'],
      [1_500_000_000n, '1970-01-01T00:00:01.5Z'],
      [ZERO_TIME.unixNanos, '0001-01-01T00:00:00Z'],
    ];
    for (const [nanos, text] of cases) {
      expect(formatTime(timeFromNanos(nanos))).toBe(text);
      expect(parseTime(text)).toEqual(timeFromNanos(nanos));
    }
    expect(parseTime('2021-03-04T05:06:07.123456789+05:30')?.unixNanos).toBe(1614814567123456789n);
    for (const bad of ['2021-02-30T00:00:00Z', '2021-01-01', '', '2021-01-01T25:00:00Z'])
      expect(parseTime(bad)).toBeUndefined();
  });
  test('64-bit numbers are lossless', () => {
    const text = '{"ObjectSizes":[18446744073709551615,9007199254740993,0]}';
    expect(toJson(CheckObjectsResponse, fromJson(CheckObjectsResponse, text))).toBe(text);
    expect(fromJson(CheckObjectsResponse, '{"ObjectSizes":["18446744073709551615"]}').ObjectSizes).toEqual([
      2n ** 64n - 1n,
    ]);
  });
  test("Go's form", () => {
    expect(fromGoJson(CheckImageRequest, '{"imagename":"x","Other":1}')).toEqual({ ImageName: 'x' });
    expect(toGoJson(CheckImageRequest, { ImageName: '<&>' })).toBe('{"ImageName":"\\u003c\\u0026\\u003e"}');
    expect(toGoJson(CheckObjectsResponse, { ObjectSizes: [] })).toBe('{"ObjectSizes":null}');
    const bytes = Array.from({ length: 64 }, (_, index) => index);
    expect(fromGoJson(CheckObjectsRequest, JSON.stringify({ Hashes: [bytes] })).Hashes[0]).toBe(
      Buffer.from(bytes).toString('hex'),
    );
    expect(() => fromGoJson(CheckImageRequest, '{"ImageName":5}')).toThrow(
      'json: cannot unmarshal number into Go struct field CheckImageRequest.ImageName of type string',
    );
  });
  test('what does not fit is refused by name', () => {
    const cases: [string, () => unknown][] = [
      ['unknown field: Other', () => fromJson(CheckImageRequest, '{"Other":1}')],
      [
        'Percentage: number 256 where uint8 is wanted',
        () => fromJson(DeleteUnreferencedObjectsRequest, '{"Percentage":256}'),
      ],
      [
        'ExpiresAt: string where time.Time is wanted',
        () => fromJson(ChangeImageExpirationRequest, '{"ExpiresAt":"x"}'),
      ],
      [
        'Hashes[0]: string where hash.Hash is wanted',
        () => fromJson(CheckObjectsRequest, '{"Hashes":["AB"]}'),
      ],
      ['invalid JSON', () => fromJson(CheckImageRequest, '{')],
      [
        'FileSystem.InodeTable.1.Kind: must be one of',
        () => fromJson(Image, '{"FileSystem":{"InodeTable":{"1":{}}}}'),
      ],
    ];
    for (const [text, run] of cases) expect(run).toThrow(text);
  });
});
