import { expect, test } from 'bun:test';
import { Batch } from '../../methods/method.ts';
import { itemStream } from './item-stream.ts';

test('batches that many listeners get are encoded once', async () => {
  const batch = new Batch(['a', 'b']);
  const shared = new WeakMap<object, Uint8Array>();
  let encoded = 0;
  const encode = (item: string) => `${encoded++}${item}\n`;
  const read = async () => {
    const items = async function* () {
      yield batch;
      yield 'alone';
    };
    const body = itemStream<string>(items(), {
      encode,
      shared,
      live: true,
      onEnd: () => undefined,
      onCancel: () => undefined,
    });
    return Array.fromAsync(body as unknown as AsyncIterable<Uint8Array>);
  };
  const [one, other] = [await read(), await read()];
  expect([one, other].map((pieces) => pieces.map(String))).toEqual([
    ['0a\n1b\n', '2alone\n'],
    ['0a\n1b\n', '3alone\n'],
  ]);
  expect(other[0]).toBe(one[0] as Uint8Array);
});
