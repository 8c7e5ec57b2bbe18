/**
 * Every recorded conversation of the original's programs, said again to our server: each reply is decoded and compared
 * with what the original answered. Differences are wanted only where they are listed below, with the reason.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connectSrpc } from '../src/srpc/client.ts';
import {
  AddImageRequest,
  AddImageResponse,
  DeleteImageRequest,
  DeleteImageResponse,
  type GetImageExpirationResponse,
  type GetImageResponse,
  MakeDirectoryRequest,
  MakeDirectoryResponse,
} from '../src/wire/messages/imageserver.ts';
import type { ValueOf } from '../src/wire/schema.ts';
import { isZeroTime } from '../src/wire/time.ts';
import { startServer, type TestServer } from './server.ts';
import { decodeConversation, type RecordedReply } from './transcript.ts';
import { describeWithVectors, haveVectors, vectorsPath } from './vectors.ts';

interface Session {
  readonly name: string;
  readonly connections: readonly string[];
  readonly calls: Readonly<Record<string, { methods: readonly string[] }>>;
}

const sessions: Session[] = haveVectors
  ? JSON.parse(readFileSync(vectorsPath('wire', 'index.json'), 'utf8'))
  : [];

/** 2026 becomes 2126: what was sent to live for a day then is not to be dead on arrival now. */
const CENTURY = 36_524n * 86_400n;
const YEAR_ONE = 62_135_596_800n;
const [SHIFT_FROM, SHIFT_UNTIL] = [1_767_225_600n, 1_798_761_600n];

/** Shifts the times of the recording in place: Go's 15 bytes behind their length, and the texts of JSON. */
function shiftTimes(data: Buffer): Buffer {
  const head = Buffer.of(15, 1, 0, 0, 0);
  for (let at = data.indexOf(head); at >= 0 && at + 16 <= data.length; at = data.indexOf(head, at + 1)) {
    const seconds = data.readBigInt64BE(at + 2);
    const unix = seconds - YEAR_ONE;
    if (unix >= SHIFT_FROM && unix < SHIFT_UNTIL) data.writeBigInt64BE(seconds + CENTURY, at + 2);
  }
  for (const year of ['"2026-', '"2099-'])
    for (let at = data.indexOf(year); at >= 0; at = data.indexOf(year, at + 1)) data.write('21', at + 1);
  return data;
}

function recorded(file: string, direction: 'c2s' | 's2c'): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const line of readFileSync(vectorsPath('wire', file), 'utf8').split('\n')) {
    if (line === '') continue;
    const entry = JSON.parse(line) as { dir: string; base64?: string };
    if (entry.dir === direction && entry.base64 !== undefined)
      parts.push(new Uint8Array(Buffer.from(entry.base64, 'base64')));
  }
  return shiftTimes(Buffer.concat(parts));
}

/** Sends everything, ends our side, and takes what comes until the server closes. */
function say(port: number, data: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(data));
    socket.on('data', (chunk) => chunks.push(chunk as Uint8Array));
    socket.on('end', () => {
      socket.destroy();
      resolve(Buffer.concat(chunks));
    });
    socket.on('error', reject);
  });
}

/** What depends on the clock, on random order or on texts that we improve is made equal before comparing. */
function comparable(replies: readonly RecordedReply[]): unknown {
  const text = (value: unknown): string =>
    JSON.stringify(value, (key, inner: unknown) => {
      if (key === 'CreatedOn') return 'a time';
      if (inner instanceof Map) return [...inner].map(([k, v]) => [String(k), v]).sort();
      return typeof inner === 'bigint' ? inner.toString() : inner;
    });
  return replies.map((reply) => ({
    method: reply.method,
    refused: reply.error !== '',
    values: reply.values.map(text).toSorted(),
    rawBytes: reply.rawBytes,
  }));
}

/** Sessions where our server answers otherwise on purpose; why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'raw-getobjects-none': 'the original names the wrong hash',
  'raw-getobjects-one-missing': 'the original names the wrong hash',
  'raw-addimage-nil': 'the original drops the connection, we answer and go on',
  'raw-addobjects-mismatch': 'we read the object to its end and go on with the call',
  'raw-addobjects-eof': 'nobody is there any more to be told',
  'raw-huge-count': 'we close: behind a length that cannot be, nothing can be told apart',
  'json-check-nonl': 'the blank line came later and was a ping',
  'json-check-late-nl': 'the blank line came later and was a ping',
  'json-pipelined': 'the original loses the second call, we answer it',
  'json-checkobjects-hex': 'the original cannot read the form it writes',
  'json-addobjects': 'the original swallows the object',
  'json-listunref': 'objects of an image that came and went in a session that was not recorded',
};

/** Lines of a connection with the JSON coder; lists come in random order. */
function jsonLines(data: Uint8Array): string[] {
  return new TextDecoder()
    .decode(data)
    .replace(/"CreatedOn":"[^"]*"/g, '"CreatedOn":"a time"')
    .split('\n')
    .sort();
}

const isJson = ({ name }: Session) => name.startsWith('json-');
/** Said by a replica to its master and by clients to a replica: they need the state of both. */
const isReplica = ({ name }: Session) => name.startsWith('replica-');

describeWithVectors('recorded sessions are read from the first byte to the last, both directions', () => {
  for (const session of sessions.filter((one) => !isJson(one)))
    test.each([...session.connections])('%s', async (file) => {
      const called = session.calls[file]?.methods ?? [];
      const read = await decodeConversation(recorded(file, 'c2s'), recorded(file, 's2c'));
      expect(read.map(({ method }) => method).filter((name) => called.includes(name))).toEqual([...called]);
    });
});

describeWithVectors('recorded sessions said again to our server', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ args: ['-trashGracePeriod=0s', '-objectGracePeriod=0s'] });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** What happened on the recorded server between these sessions, in sessions that were not recorded. */
  async function makeState(): Promise<void> {
    const client = await connectSrpc({ host: '127.0.0.1', port: server.port });
    await client.call('ImageServer.MakeDirectory', MakeDirectoryRequest, MakeDirectoryResponse, {
      DirectoryName: 'live',
      MakeAll: false,
    });
    await say(server.port, recorded('replica-inject-add.01.jsonl', 'c2s'));
    const replies = await decodeConversation(
      recorded('replica-master.02.jsonl', 'c2s'),
      recorded('replica-master.02.jsonl', 's2c'),
    );
    const values = <T>(method: string) =>
      replies.filter((reply) => reply.method === method).map((reply) => reply.values[0] as T);
    const image = values<ValueOf<typeof GetImageResponse>>('ImageServer.GetImage')
      .map(({ Image }) => Image)
      .findLast((one) => one && !isZeroTime(one.ExpiresAt));
    const extended = values<ValueOf<typeof GetImageExpirationResponse>>('ImageServer.GetImageExpiration').at(
      -1,
    );
    if (!image || !extended) throw new Error('the recording does not hold the image that expires');
    await client.call('ImageServer.AddImage', AddImageRequest, AddImageResponse, {
      ImageName: 'live/exp.0',
      Image: { ...image, ExpiresAt: extended.ExpiresAt },
    });
    await client.call('ImageServer.DeleteImage', DeleteImageRequest, DeleteImageResponse, {
      ImageName: 'test/img.copy',
    });
    client.close();
  }

  for (const session of sessions.filter((one) => !isReplica(one))) {
    test(session.name, async () => {
      if (session.name === 'raw-ping') await makeState();
      // The image of the first connection needs the object that the second one brought meanwhile.
      const order = session.name === 'add-dir-full' ? session.connections.toReversed() : session.connections;
      for (const file of order) {
        const said = recorded(file, 'c2s');
        const answer = await say(server.port, said);
        const wanted = recorded(file, 's2c');
        if (session.name in DIFFERENT) continue;
        if (isJson(session)) {
          expect(jsonLines(answer)).toEqual(jsonLines(wanted));
          continue;
        }
        const ours = comparable(await decodeConversation(said, answer));
        const theirs = comparable(await decodeConversation(said, wanted));
        expect(ours).toEqual(theirs);
      }
    });
  }

  describe('after all of it', () => {
    test('the server still answers', async () => {
      const response = await fetch(`${server.url}/healthz`);
      expect(await response.text()).toStartWith('OK');
    });
  });
});
