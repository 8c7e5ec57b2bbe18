/** The codec against bytes known from Go, and the rules by which differing types match. */
import { describe, expect, test } from 'bun:test';
import { FileSystem } from '../messages/filesystem.ts';
import { AddImageResponse, CheckImageRequest } from '../messages/imageserver.ts';
import * as s from '../schema.ts';
import { timeFromNanos, ZERO_TIME } from '../time.ts';
import { BufferSource, decodeOnce, GobDecoder, type GobLimits } from './decoder.ts';
import { encodeOnce, GobEncoder } from './encoder.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const unhex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');
const plain = (text: string) => text.replace(/\s/g, '');

const CHECK_DEFINITION =
  '2dff810301 0111436865636b496d61676552657175657374 01ff8200 0101 0109496d6167654e616d65 010c00 0000';

describe('bytes that Go writes', () => {
  const cases: [string, s.Schema, unknown, string][] = [
    ['uint 7', s.uint64, 7n, '03060007'],
    ['uint 128', s.uint64, 128n, '040600ff80'],
    ['uint 256', s.uint64, 256n, '050600fe0100'],
    ['uint 2^64-1', s.uint64, 2n ** 64n - 1n, '0b0600f8ffffffffffffffff'],
    ['int 1', s.int64, 1n, '03040002'],
    ['int -1', s.int64, -1n, '03040001'],
    ['int 64', s.int64, 64n, '040400ff80'],
    ['int -65', s.int64, -65n, '040400ff81'],
    ['least int', s.int64, -(2n ** 63n), '0b0400f8ffffffffffffffff'],
    ['uint32 above 2^31', s.uint32, 0xfedcba98, '070600fcfedcba98'],
    ['int32 least', s.int32, -(2 ** 31), '070400fcffffffff'],
    ['float 17', s.float64, 17, '050800fe3140'],
    [
      'struct with a string',
      CheckImageRequest,
      { ImageName: 'a/b' },
      `${CHECK_DEFINITION} 08 ff82 0103612f62 00`,
    ],
    [
      'empty struct',
      AddImageResponse,
      {},
      '1cff810301 0110416464496d616765526573706f6e7365 01ff82000000 03ff8200',
    ],
    [
      'hash',
      s.hash,
      `${'00'.repeat(63)}ff`,
      `15ff81010101044861736801ff8200010601ff80000045ff820040 ${'00'.repeat(63)}ffff`,
    ],
    [
      'time with a zone',
      s.time,
      { unixNanos: 1614814567123456789n, offset: 19800 },
      '10ff810501010454696d6501ff82000000 13ff8200 0f 010000000ed7d21467075bcd15014a',
    ],
    [
      'time 1970',
      s.time,
      timeFromNanos(0n),
      '10ff810501010454696d6501ff82000000 13ff8200 0f 010000000e7791f70000000000ffff',
    ],
    ['text that is no UTF-8', s.string, 'a\udcff', '050c000261ff'],
  ];
  for (const [name, schema, value, wanted] of cases)
    test(name, () => {
      expect(hex(encodeOnce(schema, value as never))).toBe(plain(wanted));
      expect(decodeOnce(schema, unhex(wanted))).toEqual({
        value: value as never,
        used: plain(wanted).length / 2,
      });
    });

  test('a type met behind an interface interrupts the message', () => {
    const table = FileSystem.fields.get('InodeTable')?.schema as s.Schema;
    const value = new Map([[5n, { Kind: 'symlink', Uid: 1, Gid: 2, Symlink: 'target' }]]);
    const bytes = encodeOnce(table, value as never);
    const text = hex(bytes);
    const name = Buffer.from('*filesystem.SymlinkInode').toString('hex');
    expect(text).toStartWith('1aff8104');
    expect(text).toContain(plain(`54 ff82000105 18${name} ff8303`));
    expect(text).toEndWith(plain('10 ff84 0d 010101020106746172676574 00'));
    expect(decodeOnce(table, bytes).value).toEqual(value as never);
  });
  test('definitions go out once for a stream', () => {
    const encoder = new GobEncoder();
    const first = encoder.encode(CheckImageRequest, { ImageName: 'a' });
    const second = encoder.encode(CheckImageRequest, { ImageName: 'b' });
    expect(hex(second)).toBe('06ff8201016200');
    const third = encoder.encode(AddImageResponse, {});
    expect(hex(third)).toContain('ff8303');
    const decoder = new GobDecoder(new BufferSource(Buffer.concat([first, second, third])));
    expect(decoder.decode(CheckImageRequest)).toEqual({ ImageName: 'a' });
    expect(decoder.decode(CheckImageRequest)).toEqual({ ImageName: 'b' });
    expect(decoder.decode(AddImageResponse)).toEqual({});
    expect(decoder.decode(AddImageResponse)).toBeUndefined();
  });
  test('numbers that Go could not have are refused', () => {
    expect(() => encodeOnce(s.struct('t.T', { A: s.uint8 }), { A: 256 })).toThrow('A: 256 is out of range');
    expect(() => encodeOnce(s.struct('t.T', { A: s.int32 }), { A: 0.5 })).toThrow('A: 0.5 is out of range');
    expect(() => encodeOnce(s.hash, 'ab')).toThrow('not a SHA-512');
    expect(() => encodeOnce(s.slice(s.pointer(AddImageResponse)), [null])).toThrow(
      'gob: encodeReflectValue: nil element',
    );
  });
});

describe('types that differ', () => {
  const Sent = s.struct('t.Sent', {
    Extra: s.map(s.string, s.slice(s.pointer(s.struct('t.In', { T: s.time, H: s.hash, C: s.complex128 })))),
    Any: s.anyBasic,
    B: s.string,
    A: s.uint64,
    More: s.slice(s.anyBasic),
  });
  const value = {
    Extra: new Map([['x', [{ T: timeFromNanos(1n), H: '01'.repeat(64), C: [1, 2] as const }]]]),
    Any: { type: 'int64', value: -5n },
    B: 'b',
    A: 300n,
    More: [{ type: 'string', value: 's' }, null],
  };
  const bytes = encodeOnce(Sent, value as never);

  test('fields match by name, others are skipped, missing ones are zero', () => {
    expect(decodeOnce(Sent, bytes).value).toEqual(value as never);
    const Wanted = s.struct('t.Wanted', {
      A: s.uint64,
      Missing: s.slice(s.string),
      When: s.time,
      B: s.string,
    });
    expect(decodeOnce(Wanted, bytes)).toEqual({
      value: { A: 300n, Missing: [], When: ZERO_TIME, B: 'b' },
      used: bytes.length,
    });
  });
  const refused: [string, s.Schema, string][] = [
    ['another kind', s.struct('t.W', { A: s.int64 }), 'gob: wrong type (int64) for received field Sent.A'],
    [
      'a pointer to another kind',
      s.struct('t.W', { B: s.pointer(s.bytes) }),
      'gob: wrong type (*[]uint8) for received field Sent.B',
    ],
    ['too big', s.struct('t.W', { A: s.uint8 }), 'value for "A" out of range'],
    [
      'nothing in common',
      s.struct('t.W', { X: s.string }),
      'gob: type mismatch: no fields matched compiling decoder for W',
    ],
    [
      'a struct where there is none',
      s.uint64,
      'gob: decoding into local type uint64, received remote type of another kind',
    ],
  ];
  for (const [name, schema, text] of refused)
    test(name, () => expect(() => decodeOnce(schema, bytes)).toThrow(text));

  test('an empty struct matches every struct', () => {
    expect(decodeOnce(CheckImageRequest, encodeOnce(AddImageResponse, {})).value).toEqual({ ImageName: '' });
    expect(decodeOnce(AddImageResponse, bytes)).toEqual({ value: {}, used: bytes.length });
  });
  test('a struct expected, something else got', () => {
    expect(() => decodeOnce(CheckImageRequest, unhex('03060007'))).toThrow(
      'gob: type mismatch in decoder: want struct type imageserver.CheckImageRequest; got non-struct',
    );
  });
});

describe('what Go tolerates', () => {
  const value = { ImageName: 'a/b' };
  const cases: [string, string][] = [
    ['no byte that ends the struct', `${CHECK_DEFINITION} 07 ff82 0103612f62`],
    ['bytes behind the struct', `${CHECK_DEFINITION} 0a ff82 0103612f62 00 0102`],
    ['numbers longer than needed', `${CHECK_DEFINITION} 0b ff82 fe0001 ff03612f62 00`],
    [
      'a definition that is not used',
      `0cff830201 02ff8400010c0000 ${CHECK_DEFINITION} 08 ff82 0103612f62 00`,
    ],
  ];
  for (const [name, text] of cases)
    test(name, () => expect(decodeOnce(CheckImageRequest, unhex(text)).value).toEqual(value));
});

describe('input that is no gob', () => {
  const cases: [string, string, string][] = [
    ['nothing', '', 'EOF'],
    ['message of no bytes', '00', 'EOF'],
    ['message cut short', '0aff82', 'unexpected EOF'],
    ['message of a huge count', 'f87fffffffffffffff', 'invalid message length'],
    [
      'field of another kind',
      '1aff810301 02ff8200 0101 0109496d6167654e616d65 010600 0000 05ff82010500',
      'gob: wrong type (string) for received field .ImageName',
    ],
    ['count out of range', '80', 'gob: encoded unsigned integer out of range'],
    ['unknown type', '03ff8200', 'gob: unknown type id or corrupted data'],
    ['reserved id', '0a2f0301010154012e00 0000', 'gob: duplicate type received'],
    ['type defined twice', `${CHECK_DEFINITION}${CHECK_DEFINITION}`, 'gob: duplicate type received'],
    [
      'field out of bounds',
      `${CHECK_DEFINITION} 08 ff82 0203612f62 00`,
      'gob: bad data: field numbers out of bounds',
    ],
    [
      'field far out of bounds',
      `${CHECK_DEFINITION} 10 ff82 f8ffffffffffffffff 03612f62 00`,
      'gob: bad data: field numbers out of bounds',
    ],
    [
      'text longer than the message',
      `${CHECK_DEFINITION} 08 ff82 0163612f62 00`,
      'gob: bad string slice length: 0',
    ],
    ['definition of nothing', '04ff810000', 'gob: unknown type id or corrupted data'],
    [
      'definition of two things',
      '14ff81010102ff82000106000101 02ff82000106 0000',
      'gob: unknown type id or corrupted data',
    ],
  ];
  for (const [name, text, message] of cases)
    test(name, () => {
      expect(() => decodeOnce(CheckImageRequest, unhex(text))).toThrow(
        expect.objectContaining({ code: 'INVALID_REQUEST', message }),
      );
    });

  test('a clean end is no error', () => {
    expect(new GobDecoder(new BufferSource(new Uint8Array(0))).decode(CheckImageRequest)).toBeUndefined();
  });
  test('limits', () => {
    const List = s.struct('t.L', { L: s.slice(AddImageResponse) });
    const many = encodeOnce(List, { L: Array.from({ length: 1000 }, () => ({})) });
    const limited: [Partial<GobLimits>, string][] = [
      [{ memory: 10_000, memoryPerByte: 1 }, 'gob: value takes too much memory for its length'],
      [{ maxMessageBytes: 900 }, 'gob: value is too big'],
      [{ maxValueBytes: 1010 }, 'gob: value is too big'],
      [{ maxTypes: 1 }, 'gob: too many types'],
      [{ maxDefinitionBytes: 20 }, 'gob: too many types'],
      [{ maxDepth: 1 }, 'gob: nesting is too deep'],
    ];
    expect(decodeOnce(List, many, { memory: 0, memoryPerByte: 32 }).value.L.length).toBe(1000);
    for (const [limits, message] of limited) expect(() => decodeOnce(List, many, limits)).toThrow(message);
  });
});
