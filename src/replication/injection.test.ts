import { describe, expect, test } from 'bun:test';
import { ImageServerError } from '../errors.ts';
import type { Call, Channel } from '../methods/method.ts';
import type { Services } from '../methods/services.ts';
import { encodeImage } from '../wire/encoded-image.ts';
import { AddObjectRequest, type AddObjectResponse } from '../wire/messages/objectserver.ts';
import { MOST_PENDING } from './inject-objects.ts';
import { Injections } from './injection.ts';
import type { MasterConnection, MasterPort, UploadAnswer } from './master-link.ts';
import { imageOf, MemoryObjects, sha512 } from './store-fixture.ts';

/** A master that takes uploads, and answers at the end or at once. */
class UploadMaster {
  readonly objects = new Map<string, Buffer>();
  readonly images: string[] = [];
  answersAtEnd = true;
  reachable = true;
  failImage = '';
  /** Hash whose upload the master refuses. */
  refuses = '';
  uploads = 0;
  /** Called when an upload ends. */
  onEnd: () => void = () => undefined;

  readonly port: MasterPort = {
    address: 'fake:6971',
    open: () => Promise.reject(new Error('not here')),
    clockSkew: async () => undefined,
    dial: async () => {
      if (!this.reachable) throw new ImageServerError('UNAVAILABLE', 'connection refused');
      return this.#connection();
    },
  };

  #connection(): MasterConnection {
    return {
      addImage: async (name) => {
        if (this.failImage) throw new ImageServerError('IMAGE_EXISTS', this.failImage);
        this.images.push(name);
      },
      checkObjects: async (hashes) => hashes.map((hash) => this.objects.get(hash)?.length ?? 0),
      close: () => undefined,
      upload: async () => {
        this.uploads++;
        let ended = false;
        let parts: Buffer[] = [];
        let length = 0;
        const ready: UploadAnswer[] = [];
        let wake: () => void = () => undefined;
        const finish = () => {
          const data = Buffer.concat(parts);
          const hash = sha512(data);
          const added = !this.objects.has(hash);
          const error = hash === this.refuses ? 'no space left on device' : '';
          if (!error) this.objects.set(hash, data);
          ready.push({ error, hash, added });
          if (!this.answersAtEnd || error) wake();
        };
        const write = (chunk: Uint8Array) => {
          parts.push(Buffer.from(chunk));
          if (parts.reduce((sum, part) => sum + part.length, 0) === length) finish();
        };
        return {
          begin: (size) => {
            parts = [];
            length = size;
          },
          write,
          writeObject: async () => write(this.known as Buffer),
          end: async () => {
            ended = true;
            this.onEnd();
            wake();
          },
          answer: async () => {
            while (ready.length === 0 || (this.answersAtEnd && !ended && !ready.some(({ error }) => error)))
              await new Promise<void>((resolve) => {
                wake = resolve;
              });
            return ready.shift() as UploadAnswer;
          },
        };
      },
    };
  }
  /** Contents of the one object that is here but not there. */
  known: Buffer | undefined;
}

/** A client that sends these contents, then the end marker. */
function channelOf(contents: readonly { data: Buffer; expected?: string }[]) {
  const answers: AddObjectResponse[] = [];
  const state = { most: 0, taken: 0, reads: Promise.resolve() };
  let next = 0;
  const current = () => (contents[next - 1] as { data: Buffer }).data;
  const channel = {
    receive: async () => {
      const object = contents[next++];
      state.taken = Math.min(next, contents.length);
      state.most = Math.max(state.most, state.taken - answers.length);
      return object
        ? { Length: BigInt(object.data.length), ExpectedHash: object.expected ?? null }
        : { Length: 0n, ExpectedHash: null };
    },
    take: async () => current(),
    async *bytes() {
      const data = current();
      // As a connection does: one buffer, used again and again.
      const buffer = Buffer.alloc(64 * 1024);
      for (let at = 0; at < data.length; at += buffer.length) {
        const count = data.copy(buffer, 0, at);
        yield buffer.subarray(0, count);
        buffer.fill(0);
      }
    },
    send: async (_schema: unknown, value: AddObjectResponse) => {
      await state.reads;
      answers.push(value);
    },
    flush: async () => undefined,
  };
  return { channel: channel as unknown as Channel, answers, state };
}

function setUp() {
  const master = new UploadMaster();
  const objects = new MemoryObjects();
  const added: string[] = [];
  const failed: string[] = [];
  const injections = new Injections(master.port, {
    added: (name) => added.push(name),
    failedHere: (name) => failed.push(name),
    signal: new AbortController().signal,
  });
  const services = { objects: objects.asStore(), log: () => undefined } as unknown as Services;
  const call = { peer: '::1', signal: new AbortController().signal, subject: '' } as unknown as Call;
  const send = async (
    contents: readonly { data: Buffer; expected?: string }[],
    begin: (state: ReturnType<typeof channelOf>['state']) => void = () => undefined,
  ) => {
    const { channel, answers, state } = channelOf(contents);
    begin(state);
    const error = await injections.injectObjects(services, channel, call).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    return { answers, error, most: state.most };
  };
  return { master, objects, added, failed, injections, send };
}

describe('objects', () => {
  const data = Array.from({ length: 600 }, (_, index) => Buffer.from(`object ${index}`));
  const big = Buffer.alloc(3_000_000, 'big');
  for (const answersAtEnd of [true, false])
    test(`arrive here and there, answers in order (master answers ${answersAtEnd ? 'at the end' : 'at once'})`, async () => {
      const { master, objects, send } = setUp();
      master.answersAtEnd = answersAtEnd;
      const contents = [...data, big].map((one, index) =>
        index % 2 ? { data: one, expected: sha512(one) } : { data: one },
      );
      const { answers, error } = await send(contents);
      expect(error).toBeUndefined();
      expect(answers).toEqual(
        contents.map((one) => ({ ErrorString: '', Hash: sha512(one.data), Added: true })),
      );
      expect(master.objects.size).toBe(601);
      expect(objects.contents.size).toBe(601);
      expect(objects.contents.get(sha512(big))).toEqual(big);
      expect([...objects.leases.values()].every((count) => count === 0)).toBe(true);
    });

  /** The object whose answer is held back, and the one being taken. */
  const ALWAYS = 2;
  const many = Array.from({ length: 2 * MOST_PENDING + 100 }, (_, index) => ({
    data: Buffer.from(`one of many ${index}`),
  }));
  for (const answersAtEnd of [true, false])
    test(`of many, only so many are taken before they are answered (master answers ${answersAtEnd ? 'at the end' : 'at once'})`, async () => {
      const { master, objects, send } = setUp();
      master.answersAtEnd = answersAtEnd;
      const known = Buffer.from('known');
      objects.contents.set(sha512(known), known);
      master.known = known;
      const atEnds: boolean[] = [];
      master.onEnd = () => atEnds.push(master.objects.has(sha512(known)));
      const contents = [{ data: known }, ...many];
      const { answers, error, most } = await send(contents);
      expect(error).toBeUndefined();
      expect(answers.map(({ Hash }) => Hash)).toEqual(contents.map(({ data }) => sha512(data)));
      expect(most).toBeLessThanOrEqual(MOST_PENDING + ALWAYS);
      expect(master.objects.size).toBe(contents.length);
      // The master is given what it lacks when the first part ends, not only at the very end.
      if (answersAtEnd) expect(atEnds).toEqual([false, true, true, true]);
    });

  test('a client that does not take its answers gets no further', async () => {
    const { master, send } = setUp();
    master.answersAtEnd = false;
    const reading = Promise.withResolvers<void>();
    const takenAtEnds: number[] = [];
    const { answers, error, most } = await send(many, (state) => {
      state.reads = reading.promise;
      // It reads when the first part is passed on and nothing more can be taken.
      master.onEnd = () => {
        takenAtEnds.push(state.taken);
        reading.resolve();
      };
    });
    expect(takenAtEnds[0]).toBeLessThanOrEqual(MOST_PENDING + ALWAYS);
    expect(error).toBeUndefined();
    expect(answers.length).toBe(many.length);
    expect(most).toBeLessThanOrEqual(MOST_PENDING + ALWAYS);
  });

  test('one known here goes to a master that lacks it, before the last success', async () => {
    const { master, objects, send } = setUp();
    const known = Buffer.from('known');
    objects.contents.set(sha512(known), known);
    master.known = known;
    const { answers, error } = await send([
      { data: known, expected: sha512(known) },
      { data: Buffer.from('new') },
    ]);
    expect(error).toBeUndefined();
    expect(answers.map(({ Added }) => Added)).toEqual([false, true]);
    expect(master.objects.size).toBe(2);
    expect(master.uploads).toBe(2);
  });

  test('nothing is committed here that the master refused, and the client is told', async () => {
    const { master, objects, send } = setUp();
    master.refuses = sha512('b');
    const { answers, error } = await send(['a', 'b', 'c'].map((one) => ({ data: Buffer.from(one) })));
    expect(error?.message).toBe('no space left on device');
    expect(answers.at(-1)).toMatchObject({ ErrorString: 'no space left on device' });
    expect(objects.contents.size).toBe(0);
  });

  test('a wrong hash is refused', async () => {
    const { objects, send } = setUp();
    const { answers, error } = await send([{ data: Buffer.from('a'), expected: sha512('b') }]);
    expect(error).toBeDefined();
    expect(answers.length).toBe(1);
    expect(answers[0]?.ErrorString).toStartWith('hash mismatch');
    expect(objects.contents.size).toBe(0);
  });

  test('no master, no upload', async () => {
    const { master, send } = setUp();
    master.reachable = false;
    const { answers } = await send([{ data: Buffer.from('a') }]);
    expect(answers).toEqual([{ ErrorString: 'connection refused', Hash: '0'.repeat(128), Added: false }]);
  });
});

describe('images', () => {
  const image = encodeImage(imageOf(['a']));
  test('the master first, then here; the stream skips it meanwhile', async () => {
    const { master, added, injections } = setUp();
    let during = false;
    await injections.injectImage('d/a', image, async () => {
      expect(master.images).toEqual(['d/a']);
      during = injections.has('d/a');
    });
    expect(during).toBe(true);
    expect(injections.has('d/a')).toBe(false);
    expect(added).toEqual(['d/a']);
  });
  test("the master's refusal comes back as it is, and nothing is added here", async () => {
    const { master, added, failed, injections } = setUp();
    master.failImage = 'image already exists';
    let committed = false;
    const commit = async () => {
      committed = true;
    };
    await expect(injections.injectImage('d/a', image, commit)).rejects.toThrow('image already exists');
    expect(committed).toBe(false);
    expect([added, failed]).toEqual([[], []]);
  });
  test('added there but not here: replication takes over', async () => {
    const { failed, injections } = setUp();
    const commit = () => Promise.reject(new ImageServerError('NO_SPACE', 'full'));
    await injections.injectImage('d/a', image, commit).catch(() => undefined);
    expect(failed).toEqual(['d/a']);
  });
  test('a change of owner is refused', async () => {
    const { injections } = setUp();
    await expect(injections.chownDirectory()).rejects.toThrow(
      'cannot make changes while under replication control, go to master: fake:6971',
    );
  });
});

test('the request type used above is the one on the wire', () => {
  expect([...AddObjectRequest.fields.keys()]).toEqual(['Length', 'ExpectedHash']);
});
