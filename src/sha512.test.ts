import { expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { digestOf, makeSha512, sha512Hex, sha512Pointers } from './sha512.ts';

const expected = (bytes: Uint8Array) => createHash('sha512').update(bytes).digest('hex');

test('the examples of FIPS 180-4', () => {
  expect(sha512Hex(Buffer.from('abc'))).toBe(
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a' +
      '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  );
  expect(sha512Hex(new Uint8Array(0))).toStartWith('cf83e1357eefb8bdf1542850d66d8007');
});

test('lengths around the blocks, in one piece and in pieces, at odd places in memory', () => {
  const bytes = Buffer.from(Array.from({ length: 1100 }, (_, index) => (index * 31) & 0xff));
  for (const length of [1, 63, 64, 111, 112, 113, 127, 128, 129, 255, 256, 257, 1000])
    for (const start of [0, 1, 7]) {
      const part = bytes.subarray(start, start + length);
      expect(sha512Hex(part)).toBe(expected(part));
      const hasher = makeSha512();
      for (let at = 0; at < length; at += 37) hasher.update(part.subarray(at, at + 37));
      hasher.update(part.subarray(length));
      expect(hasher.digest().toString('hex')).toBe(expected(part));
    }
});

test('several at a time do not disturb each other', () => {
  const hashers = Array.from({ length: 50 }, makeSha512);
  for (let round = 0; round < 20; round++)
    for (const [index, hasher] of hashers.entries()) hasher.update(Buffer.alloc(100, index + round));
  for (const [index, hasher] of hashers.entries()) {
    const all = Buffer.concat(Array.from({ length: 20 }, (_, round) => Buffer.alloc(100, index + round)));
    expect(hasher.digest().toString('hex')).toBe(expected(all));
  }
});

test('a digest is the own of whoever asked for it', () => {
  const first = digestOf(Buffer.from('first'));
  digestOf(Buffer.from('second'));
  expect(first.toString('hex')).toBe(expected(Buffer.from('first')));
});

test('threads are given the addresses of all functions, or of none', () => {
  const pointers = sha512Pointers();
  if (pointers)
    for (const pointer of Object.values(pointers)) expect(pointer as number).toBeGreaterThan(4096);
});
