import { expect, test } from 'bun:test';
import { createHash, randomBytes } from 'node:crypto';
import { SLICE, type StreamHash, streamHash } from './stream-hash.ts';

const MIB = 1024 * 1024;

/** Hands everything over in one buffer that changes as soon as it may. */
async function feed(hash: StreamHash, contents: Uint8Array): Promise<void> {
  const slice = Buffer.alloc(SLICE);
  for (let at = 0; at < contents.length; at += SLICE) {
    const part = contents.subarray(at, at + SLICE);
    slice.set(part);
    const taken = hash.update(slice.subarray(0, part.length));
    if (taken) await taken;
    slice.fill(0);
  }
}
const expected = (contents: Uint8Array) => createHash('sha512').update(contents).digest('hex');

test.each([0, 1, SLICE, 4 * MIB, 9 * MIB + 1])('%d bytes', async (length) => {
  const contents = randomBytes(length);
  for (const announced of [length, undefined]) {
    const hash = streamHash(announced);
    await feed(hash, contents);
    expect(await hash.digest()).toBe(expected(contents));
    hash.abandon();
  }
});

test('many at once do not mix, nor does what was abandoned', async () => {
  const all = Array.from({ length: 8 }, () => randomBytes(5 * MIB));
  for (let round = 0; round < 2; round++) {
    const left = streamHash(5 * MIB);
    await feed(left, randomBytes(3 * MIB));
    const digests = all.map(async (contents) => {
      const hash = streamHash(contents.length);
      await feed(hash, contents);
      return hash.digest();
    });
    left.abandon();
    expect(await Promise.all(digests)).toEqual(all.map(expected));
  }
});

test('big contents are hashed beside what else there is to do', async () => {
  const contents = randomBytes(64 * MIB);
  const hash = streamHash(contents.length);
  const before = process.threadCpuUsage();
  await feed(hash, contents);
  expect(await hash.digest()).toBe(expected(contents));
  const { user } = process.threadCpuUsage(before);
  // Once, for what is expected.
  const alone = process.threadCpuUsage();
  expected(contents);
  expect(user).toBeLessThan(1.7 * process.threadCpuUsage(alone).user);
});
