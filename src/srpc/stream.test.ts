import { expect, test } from 'bun:test';
import { Batch, type StreamMethod } from '../methods/method.ts';
import type { Services } from '../methods/services.ts';
import { string, struct } from '../wire/schema.ts';
import type { SrpcCall } from './call.ts';
import type { Coder } from './coder.ts';
import { sendEvents } from './stream.ts';
import type { SocketWriter } from './writer.ts';

const item = struct('test.Item', { Name: string });
const coder = { name: 'gob', encode: () => new Uint8Array(10) } as unknown as Coder;

function streamOf(count: number) {
  let yielded = 0;
  let closed = false;
  const method = {
    item,
    async *handle() {
      try {
        for (let i = 0; i < count; i++) {
          yielded++;
          yield { Name: `${i}` };
        }
      } finally {
        closed = true;
      }
    },
  } as unknown as StreamMethod;
  return { method, yielded: () => yielded, closed: () => closed };
}

function writerOf(write: () => void | Promise<void>) {
  return { write, writeAlone: write, flush: () => undefined } as unknown as SocketWriter;
}
const services = {} as Services;
const call = {} as SrpcCall;

test('a listener that takes nothing is dropped with a reason, and its stream is closed', async () => {
  const stream = streamOf(100);
  const writer = writerOf(() => new Promise(() => undefined));
  await expect(sendEvents(stream.method, services, coder, writer, call, 20)).rejects.toThrow(
    'listener has not kept up for 0 s',
  );
  expect([stream.yielded(), stream.closed()]).toEqual([1, true]);
});

test('one that is slow but takes what comes is kept', async () => {
  const stream = streamOf(20);
  const writer = writerOf(() => new Promise((resolve) => setTimeout(resolve, 1)));
  await sendEvents(stream.method, services, coder, writer, call, 60_000);
  expect(stream.yielded()).toBe(20);
});

test('a long list lets others have their turn', async () => {
  const stream = streamOf(200_000);
  let turns = 0;
  let over = false;
  const turn = () => {
    turns++;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await sendEvents(
    stream.method,
    services,
    coder,
    writerOf(() => undefined),
    call,
  );
  over = true;
  expect(turns).toBeGreaterThan(3);
});

test('a batch that many listeners get is encoded once, and goes out as the same bytes', async () => {
  const batch = new Batch(Array.from({ length: 100 }, (_, index) => ({ Name: `${index}` })));
  let encoded = 0;
  const counting = { name: 'gob', encode: () => Buffer.from([++encoded]) } as unknown as Coder;
  const method = {
    item,
    async *handle() {
      yield { Name: 'first' };
      yield batch;
    },
  } as unknown as StreamMethod;
  const sent: Uint8Array[][] = [];
  for (let listener = 0; listener < 3; listener++) {
    const pieces: Uint8Array[] = [];
    sent.push(pieces);
    const write = (piece: Uint8Array) => void pieces.push(piece);
    const writer = { write, writeAlone: write, flush: () => undefined } as unknown as SocketWriter;
    await sendEvents(method, services, counting, writer, call);
  }
  // The first value is each stream's own: it defines the types.
  expect(encoded).toBe(3 + 100);
  expect(sent.map((pieces) => pieces.map(({ length }) => length))).toEqual([
    [1, 100],
    [1, 100],
    [1, 100],
  ]);
  expect(sent[1]?.[1]).toBe(sent[0]?.[1] as Uint8Array);
});
