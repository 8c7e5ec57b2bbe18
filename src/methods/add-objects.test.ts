/** Answers of AddObjects: in order, when durable, and without stopping the objects that follow. */
import { expect, test } from 'bun:test';
import { renameSync } from 'node:fs';
import { sha512, withObjectStore } from '../store/object-store-fixture.ts';
import type { AddObjectResponse } from '../wire/messages/objectserver.ts';
import { addObjects } from './add-objects.ts';
import type { Call, Channel } from './method.ts';
import type { Services } from './services.ts';

const OBJECTS = 5000;
/** The sync that fails. */
const FAILING = 4;
const contents = Array.from({ length: OBJECTS }, (_, index) => Buffer.from(`object ${index}`));
const hashes = contents.map((content) => sha512(content));
const call = { peer: '::1', signal: new AbortController().signal, subject: '' } as unknown as Call;

/** A client that takes its answers only when `mayRead` is resolved. */
function clientOf(mayRead: Promise<void>, onSent: () => void) {
  const answers: AddObjectResponse[] = [];
  let next = 0;
  const channel = {
    receive: () => {
      const length = contents[next++]?.length;
      if (length === undefined) onSent();
      return { Length: BigInt(length ?? 0), ExpectedHash: null };
    },
    take: () => contents[next - 1],
    send(_schema: unknown, answer: AddObjectResponse) {
      answers.push(answer);
      return mayRead;
    },
    flush: async () => undefined,
  };
  return { answers, channel: channel as unknown as Channel };
}

/** The original's tool reads at most a thousand answers ahead of what it sends. */
test('a client that reads no answer before it has sent everything is not waited for', () =>
  withObjectStore(async ({ store }) => {
    const { promise: sent, resolve: onSent } = Promise.withResolvers<void>();
    const { answers, channel } = clientOf(sent, onSent);
    const services = { objects: store, log: () => undefined } as unknown as Services;
    await addObjects.handle(services, channel, call);
    expect(answers).toEqual(hashes.map((Hash) => ({ ErrorString: '', Hash, Added: true })));
  }));

test('no answer is sent before a sync that began after its object was in place', async () => {
  const placed: number[] = [];
  let renames = 0;
  let durable = 0;
  let syncs = 0;
  const rename = (from: string, to: string) => {
    renameSync(from, to);
    renames++;
  };
  const syncAll = async () => {
    const before = renames;
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (++syncs === FAILING) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    durable = before;
    return true;
  };
  await withObjectStore(
    async ({ store }) => {
      const { answers, channel } = clientOf(Promise.resolve(), () => undefined);
      const send = channel.send.bind(channel);
      channel.send = (schema, answer) => {
        placed.push(durable);
        return send(schema, answer);
      };
      await addObjects.handle({ objects: store, log: () => undefined } as unknown as Services, channel, call);
      expect(answers.map(({ Hash }) => Hash)).toEqual(hashes);
      const failed = answers.filter(({ ErrorString }) => ErrorString !== '').length;
      expect(failed).toBeGreaterThan(0);
      let told = 0;
      for (const [index, { ErrorString }] of answers.entries())
        if (ErrorString === '') expect(placed[index]).toBeGreaterThanOrEqual(++told);
    },
    { disk: { rename, syncAll } },
  );
});
