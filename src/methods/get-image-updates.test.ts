import { expect, test } from 'bun:test';
import type { CatalogueEvent, ImageStore } from '../store/types.ts';
import { type ImageUpdate, Operation } from '../wire/messages/imageserver.ts';
import { getImageUpdates } from './get-image-updates.ts';
import { Batch, type Call } from './method.ts';
import { askedFor } from './old-replicas.ts';
import type { Services } from './services.ts';

function setUp() {
  const listeners = new Set<(event: CatalogueEvent) => void>();
  const images = {
    size: 2,
    generation: 0,
    entries: () => [{ name: 'a' }, { name: 'b' }],
    directories: () => [{ Name: '.', Metadata: { OwnerGroup: '' } }],
    subscribe(listener: (event: CatalogueEvent) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  } as unknown as ImageStore;
  const activity = { getObjects: 0, updateListeners: 0 };
  const services = {
    images,
    activity,
    log: () => undefined,
    replicated: () => Promise.resolve(),
  } as unknown as Services;
  const abort = new AbortController();
  const call = { peer: '::1', signal: abort.signal } as unknown as Call;
  const stream = (
    getImageUpdates.handle(services, undefined, call) as AsyncIterable<ImageUpdate | Batch<ImageUpdate>>
  )[Symbol.asyncIterator]();
  const waiting: ImageUpdate[] = [];
  const next = async () => {
    if (waiting.length === 0) {
      const { value } = await stream.next();
      if (value === undefined) return undefined;
      waiting.push(...(value instanceof Batch ? value.items : [value]));
    }
    return waiting.shift();
  };
  const emit = (event: CatalogueEvent) => {
    for (const listener of listeners) listener(event);
  };
  return { next, emit, abort, listeners, activity, services };
}

test('everything there is, an end mark, then changes in their order until the caller goes', async () => {
  const { next, emit, abort, listeners, activity } = setUp();
  expect(await next()).toMatchObject({ Directory: { Name: '.' }, Operation: Operation.MakeDirectory });
  // Happens while the list is sent: comes after it.
  emit({ kind: 'delete', name: 'a', sequence: 1 });
  for (const Name of ['a', 'b', '']) expect(await next()).toMatchObject({ Name, Operation: 0 });
  emit({ kind: 'add', name: 'c', sequence: 2 });
  expect(await next()).toMatchObject({ Name: 'a', Operation: Operation.DeleteImage });
  expect(await next()).toMatchObject({ Name: 'c', Operation: Operation.AddImage });
  expect(activity.updateListeners).toBe(1);
  const last = next();
  abort.abort();
  expect(await last).toBeUndefined();
  expect([listeners.size, activity.updateListeners]).toEqual([0, 0]);
});

test('expiry is told, but not to a replica of the original that has the image', async () => {
  const { next, emit, services } = setUp();
  for (let i = 0; i < 4; i++) await next();
  askedFor(services, { peer: '::1', transport: 'srpc' } as Call, 'b');
  emit({ kind: 'delete', name: 'a', expired: true, sequence: 1 });
  emit({ kind: 'delete', name: 'b', expired: true, sequence: 2 });
  emit({ kind: 'delete', name: 'b', sequence: 3 });
  emit({ kind: 'add', name: 'last', sequence: 4 });
  const told = [await next(), await next(), await next()];
  expect(told.map((update) => [update?.Name, update?.Operation])).toEqual([
    ['a', Operation.DeleteImage],
    ['b', Operation.DeleteImage],
    ['last', Operation.AddImage],
  ]);
});

test('a listener that stays behind is dropped with a reason, not remembered for ever', async () => {
  const { next, emit, listeners, activity } = setUp();
  await next();
  for (let sequence = 0; sequence <= 10_000; sequence++) emit({ kind: 'add', name: 'x', sequence });
  const rest = async () => {
    while (await next());
  };
  await expect(rest()).rejects.toThrow('listener is too far behind');
  expect([listeners.size, activity.updateListeners]).toEqual([0, 0]);
});
