import { describe, expect, test } from 'bun:test';
import { ImageServerError } from '../../errors.ts';
import type { PutResult } from '../../store/types.ts';
import type { SizedObject } from './store-object.ts';
import { type Sink, Uploads } from './uploads.ts';

const HASH = 'ab'.repeat(64);

/** Takes everything and says what it took; like a store it may not ask again after the last byte. */
function collector(lazy = false): { sink: Sink; taken: () => string } {
  const chunks: Uint8Array[] = [];
  const sink = async (object: SizedObject): Promise<PutResult> => {
    let left = object.length;
    for await (const chunk of object.data) {
      chunks.push(chunk.slice());
      left -= chunk.length;
      if (lazy && left === 0) break;
    }
    if (left !== 0) throw new ImageServerError('INVALID_REQUEST', 'unexpected EOF');
    return { hash: object.expected ?? '', added: true };
  };
  return { sink, taken: () => Buffer.concat(chunks).toString() };
}

async function* parts(...texts: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text instanceof Error) throw text;
    yield Buffer.from(text);
  }
}

describe('resumable uploads', () => {
  for (const lazy of [false, true])
    test(`one that breaks off twice (${lazy ? 'the store stops at the last byte' : 'the store asks until the end'})`, async () => {
      const { sink, taken } = collector(lazy);
      const uploads = new Uploads();
      const upload = uploads.begin(HASH, 10, sink);
      await expect(upload.feed(0, parts('abc', new Error('broken')))).rejects.toThrow('broken');
      expect(upload.offset).toBe(3);
      expect(await upload.feed(3, parts('de'))).toBeUndefined();
      expect(uploads.get(HASH)).toBe(upload);
      await expect(upload.feed(4, parts('x'))).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await upload.feed(5, parts('fg', 'hij'))).toEqual({ hash: HASH, added: true });
      expect(taken()).toBe('abcdefghij');
      await Bun.sleep(0);
      expect(uploads.get(HASH)).toBeUndefined();
    });

  test('too many bytes', async () => {
    const upload = new Uploads().begin(HASH, 3, collector().sink);
    await expect(upload.feed(0, parts('abcd'))).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    expect(upload.offset).toBe(0);
    upload.drop();
  });

  test('a store that fails tells the request that feeds', async () => {
    const uploads = new Uploads();
    const upload = uploads.begin(HASH, 6, async (object) => {
      for await (const _chunk of object.data)
        throw new ImageServerError('NO_SPACE', 'no space left on device');
      throw new Error('nothing came');
    });
    await expect(upload.feed(0, parts('abc', 'def'))).rejects.toMatchObject({ code: 'NO_SPACE' });
    expect(uploads.get(HASH)).toBeUndefined();
  });

  test('dropped, and given up after a while', async () => {
    const uploads = new Uploads(20);
    const first = uploads.begin(HASH, 6, collector().sink);
    await first.feed(0, parts('abc'));
    first.drop();
    await expect(first.result).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(uploads.get(HASH)).toBeUndefined();
    const second = uploads.begin(HASH, 6, collector().sink);
    await second.feed(0, parts('abc'));
    await expect(second.result).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(uploads.get(HASH)).toBeUndefined();
  });

  test('a second request takes a stuck one over', async () => {
    const { sink, taken } = collector();
    const upload = new Uploads().begin(HASH, 6, sink);
    const { promise: never, resolve: goOn } = Promise.withResolvers<void>();
    const stuck = upload.feed(
      0,
      (async function* () {
        yield Buffer.from('abc');
        await never;
        yield Buffer.from('xxx');
      })(),
    );
    stuck.catch(() => undefined);
    while (upload.offset < 3) await Bun.sleep(0);
    expect(await upload.feed(3, parts('def'))).toMatchObject({ added: true });
    goOn();
    await expect(stuck).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(taken()).toBe('abcdef');
  });

  test('there is a limit', () => {
    const uploads = new Uploads();
    const open = Array.from({ length: 100 }, (_, index) => uploads.begin(`${index}`, 1, collector().sink));
    expect(() => uploads.begin(HASH, 1, collector().sink)).toThrow('unfinished');
    for (const upload of open) upload.drop();
  });
});
