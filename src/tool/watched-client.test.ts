import { describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import type { ClientChannel, SrpcClient } from '../srpc/client.ts';
import { downloadObjects } from './download.ts';
import { WatchedClient } from './watched-client.ts';

/** A server in memory: what calls and channels answer is given; `close` fails what is pending. */
function fakeClient(
  channel: Partial<ClientChannel>,
  call?: () => Promise<unknown>,
): SrpcClient & { closed: boolean } {
  const client = {
    closed: false,
    call: call ?? (() => Promise.reject(new Error('no calls'))),
    open: async () =>
      ({
        send: () => undefined,
        flush: async () => undefined,
        end: () => undefined,
        ...channel,
      }) as ClientChannel,
    ping: async () => undefined,
    close() {
      client.closed = true;
    },
  };
  return client as unknown as SrpcClient & { closed: boolean };
}

describe('silence', () => {
  test('a call is given up', async () => {
    const { promise, reject } = Promise.withResolvers<unknown>();
    const client = fakeClient({}, () => promise);
    client.close = () => reject(new Error('closed'));
    const watched = new WatchedClient(client, 20, 'host:1');
    await expect(watched.call('A.B', {} as never, {} as never, {} as never)).rejects.toThrow(
      'nothing from host:1 for 20ms',
    );
  });
  test('progress counts as a sign of life', async () => {
    const watched = new WatchedClient(fakeClient({}), 20, 'host:1');
    let steps = 0;
    const timer = setInterval(() => steps++, 5);
    await watched.watch(Bun.sleep(90), 0, () => steps);
    clearInterval(timer);
    expect(watched.closed).toBe(false);
  });
});

describe('downloads', () => {
  const data = Buffer.from('contents');
  const hash = createHash('sha512').update(data).digest('hex');
  const fetch = async (bytes: Buffer, reply: { ResponseString: string; ObjectSizes: bigint[] }) => {
    const client = fakeClient({ receive: async () => reply as never, take: async () => bytes });
    const got: string[] = [];
    try {
      await downloadObjects(client, [{ hash, size: data.length }], () => ({
        write: (piece) => void got.push(Buffer.from(piece).toString()),
        done: () => void got.push('done'),
      }));
    } catch (error) {
      return { error: (error as Error).message, got, closed: client.closed };
    }
    return { got };
  };
  const sizes = { ResponseString: '', ObjectSizes: [BigInt(data.length)] };

  test('complete and verified', async () =>
    expect(await fetch(data, sizes)).toEqual({ got: ['contents', 'done'] }));
  test('other contents never count as done', async () =>
    expect(await fetch(Buffer.from('Contents'), sizes)).toEqual({
      error: `object ${hash}: came with other contents`,
      got: [],
      closed: true,
    }));
  for (const [what, wrong, settled] of [
    ['kept', false, ['1', '2', 'done', 'done']],
    ['broken', true, 'came with other contents'],
  ] as const)
    for (const early of [true, undefined])
      test(`bigger ones, hashed aside: ${what}${early ? ', done early' : ''}`, async () => {
        const contents = ['1', '2'].map((byte) => Buffer.alloc(100_000, byte));
        const objects = contents.map((bytes) => ({
          hash: createHash('sha512').update(bytes).digest('hex'),
          size: bytes.length,
        }));
        if (wrong) contents[0]?.fill('0', 50_000);
        let next = 0;
        const client = fakeClient({
          receive: async () =>
            ({ ResponseString: '', ObjectSizes: objects.map(({ size }) => BigInt(size)) }) as never,
          take: async () => contents[next++] as Buffer,
        });
        const got: string[] = [];
        const fetched = downloadObjects(client, objects, () => ({
          write: (piece) => void got.push(Buffer.from(piece).toString('latin1', 0, 1)),
          done: () => void got.push('done'),
          ...(early ? { early } : {}),
        }));
        if (wrong) {
          expect(await fetched.catch((error) => error.message)).toBe(
            `object ${objects[0]?.hash}: ${settled}`,
          );
          if (!early) expect(got).toEqual(['1']);
        } else {
          await fetched;
          expect(got.toSorted()).toEqual([...settled]);
        }
      });
  test('another length', async () =>
    expect(await fetch(data, { ResponseString: '', ObjectSizes: [3n] })).toMatchObject({
      error: `object ${hash}: mismatched lengths`,
      closed: true,
    }));
  test('missing', async () =>
    expect(await fetch(data, { ResponseString: `unknown object: ${hash}`, ObjectSizes: [] })).toMatchObject({
      error: `unknown object: ${hash}`,
    }));
});
