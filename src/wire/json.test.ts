import { describe, expect, test } from 'bun:test';
import { encodeImage } from './encoded-image.ts';
import { decodeOnce } from './gob/decoder.ts';
import { sampleImage } from './image-fixture.ts';
import {
  formatTime,
  fromGoJson,
  fromJson,
  goJsonChunks,
  jsonChunks,
  parseTime,
  toGoJson,
  toJson,
} from './json.ts';
import { Image } from './messages/image.ts';
import {
  AddImageRequest,
  ChangeImageExpirationRequest,
  CheckImageRequest,
  DeleteUnreferencedObjectsRequest,
} from './messages/imageserver.ts';
import { CheckObjectsRequest, CheckObjectsResponse } from './messages/objectserver.ts';
import type { Schema } from './schema.ts';
import * as s from './schema.ts';
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
        'Percentage: number 256 where a whole number from 0 to 255 is wanted',
        () => fromJson(DeleteUnreferencedObjectsRequest, '{"Percentage":256}'),
      ],
      [
        'ExpiresAt: "x" where a time such as 2026-01-02T03:04:05Z (RFC 3339) is wanted',
        () => fromJson(ChangeImageExpirationRequest, '{"ExpiresAt":"x"}'),
      ],
      [
        'Hashes[0]: "AB" where a hash of 128 lower-case hexadecimal digits (SHA-512) is wanted',
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

  test("Go's texts for what it refuses", () => {
    const cases: [Schema, string, string][] = [
      [CheckImageRequest, '{"ImageName":}', "invalid character '}' looking for beginning of value"],
      [CheckImageRequest, '{"ImageName":"a"', 'unexpected end of JSON input'],
      [CheckImageRequest, '', 'unexpected end of JSON input'],
      [
        CheckImageRequest,
        '{ImageName:1}',
        "invalid character 'I' looking for beginning of object key string",
      ],
      [CheckImageRequest, '{"ImageName" 1}', "invalid character '1' after object key"],
      [CheckImageRequest, '{"A":1 "B":2}', `invalid character '"' after object key:value pair`],
      [CheckImageRequest, '[1 2]', "invalid character '2' after array element"],
      [CheckImageRequest, '{"A":tru}', "invalid character '}' in literal true (expecting 'e')"],
      [CheckImageRequest, '{"A":-}', "invalid character '}' in numeric literal"],
      [CheckImageRequest, '{"A":1.}', "invalid character '}' after decimal point in numeric literal"],
      [CheckImageRequest, '{"A":1e}', "invalid character '}' in exponent of numeric literal"],
      [CheckImageRequest, '{"A":01}', "invalid character '1' after object key:value pair"],
      [CheckImageRequest, '{"A":"\n"}', "invalid character '\\n' in string literal"],
      [CheckImageRequest, '{"A":"\\x"}', "invalid character 'x' in string escape code"],
      [CheckImageRequest, '{"A":"\\u12g"}', "invalid character 'g' in \\u hexadecimal character escape"],
      [CheckImageRequest, '{} x', "invalid character 'x' after top-level value"],
      [
        CheckImageRequest,
        '[]',
        'json: cannot unmarshal array into Go value of type imageserver.CheckImageRequest',
      ],
      [
        DeleteUnreferencedObjectsRequest,
        '{"percentage":256}',
        'json: cannot unmarshal number 256 into Go struct field DeleteUnreferencedObjectsRequest.Percentage of type uint8',
      ],
      [
        AddImageRequest,
        '{"Image":{"Filter":{"FilterLines":"x"}}}',
        'json: cannot unmarshal string into Go struct field Filter.Image.Filter.FilterLines of type []string',
      ],
      [
        AddImageRequest,
        '{"ImageName":"test/j","Image":{"FileSystem":{"InodeTable":{"5":{"Symlink":"x"}}}}}',
        'json: cannot unmarshal object into Go struct field FileSystem.Image.FileSystem.InodeTable of type filesystem.GenericInode',
      ],
      [
        AddImageRequest,
        '{"Image":{"FileSystem":{"Mode":"x"}}}',
        'json: cannot unmarshal string into Go struct field FileSystem.Image.FileSystem.Mode of type uint32',
      ],
    ];
    for (const [schema, text, message] of cases)
      expect(() => fromGoJson(schema, text)).toThrow(
        expect.objectContaining({ code: 'INVALID_REQUEST', message }),
      );
  });
  test("Go's escapes", () => {
    const cases: [string, string][] = [
      ['\b\f\n\r\t\v\u007f"\\', String.raw`\u0008\u000c\n\r\t\u000b\u007f\"\\`.replace('\\u007f', '\u007f')],
      ['\\b<\u2028', String.raw`\\b\u003c\u2028`],
      ['a\udcff😀\udc80', 'a\\ufffd😀\\ufffd'],
    ];
    for (const [value, quoted] of cases)
      expect(toGoJson(CheckImageRequest, { ImageName: value })).toBe(`{"ImageName":"${quoted}"}`);
  });
  test('texts that are not UTF-8 survive our form', () => {
    const value = { ImageName: 'a\udcff\udc80' };
    expect(fromJson(CheckImageRequest, toJson(CheckImageRequest, value))).toEqual(value);
  });
  test('keys of maps are sorted as Go sorts them', () => {
    const schema = s.map(s.string, s.uint8);
    const keys = ['\ue000', '😀', 'b', 'a', 'B', 'ab'];
    expect(toGoJson(schema, new Map(keys.map((key) => [key, 1])))).toBe(
      '{"B":1,"a":1,"ab":1,"b":1,"\ue000":1,"😀":1}',
    );
    expect(toGoJson(s.map(s.uint64, s.uint8), new Map([2n, 10n, 1n].map((key) => [key, 0])))).toBe(
      '{"1":0,"10":0,"2":0}',
    );
  });
  test('times outside of RFC 3339 are shown as the nearest inside', () => {
    expect(formatTime(timeFromNanos(2n ** 70n))).toBe('9999-12-31T23:59:59.999999999Z');
    expect(formatTime(timeFromNanos(-(2n ** 70n)))).toBe('0000-01-01T00:00:00Z');
  });
  test('a long value in pieces is the same text', () => {
    const image = sampleImage();
    const inode = image.FileSystem?.InodeTable?.get(1n);
    for (let number = 10n; number < 2000n; number++) image.FileSystem?.InodeTable?.set(number, inode ?? null);
    const pieces = [...jsonChunks(Image, image)];
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.join('')).toBe(toJson(Image, image));
    expect([...goJsonChunks(Image, image)].join('')).toBe(toGoJson(Image, image));
  });
  test('nesting without end is an error', () => {
    for (const open of ['[', '{"a":'])
      expect(() => fromJson(CheckImageRequest, open.repeat(200_000))).toThrow('invalid JSON');
  });
});
