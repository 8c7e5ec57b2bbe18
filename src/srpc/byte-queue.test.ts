import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { ByteQueue } from './byte-queue.ts';

/** The queue does what one long array would do, whatever the pieces are. */
test('behaves as one run of bytes', () => {
  const step = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ push: bytes })),
    fc.nat(60).map((take) => ({ take })),
    fc.nat(60).map((some) => ({ some })),
    fc.nat(60).map((skip) => ({ skip })),
    fc.record({ find: fc.nat(255), from: fc.nat(60) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new ByteQueue();
      let model: number[] = [];
      for (const one of steps) {
        if ('push' in one) {
          queue.push(one.push);
          model.push(...one.push);
        } else if ('take' in one) {
          const length = Math.min(one.take, model.length);
          expect([...queue.peek(length)]).toEqual(model.slice(0, length));
          expect([...queue.take(length)]).toEqual(model.splice(0, length));
        } else if ('some' in one) {
          const bytes = [...queue.takeSome(one.some)];
          expect(bytes.length > 0).toBe(one.some > 0 && model.length > 0);
          expect(bytes).toEqual(model.splice(0, bytes.length));
        } else if ('skip' in one) {
          const length = Math.min(one.skip, model.length);
          queue.skip(length);
          model = model.slice(length);
        } else expect(queue.indexOf(one.find, one.from)).toBe(model.indexOf(one.find, one.from));
        expect(queue.length).toBe(model.length);
        if (model.length > 0) expect(queue.byteAt(model.length - 1)).toBe(model.at(-1) as number);
      }
    }),
    { numRuns: 300 },
  );
});

test('single bytes do not pile up as chunks', () => {
  const queue = new ByteQueue();
  for (let index = 0; index < 100_000; index++) queue.push(Uint8Array.of(index & 255));
  const started = performance.now();
  for (let index = 0; index < 1000; index++) queue.indexOf(300);
  expect(performance.now() - started).toBeLessThan(2000);
  expect(queue.take(100_000).every((byte, index) => byte === (index & 255))).toBe(true);
});
