/**
 * Every recorded conversation of the original's programs, said again to our server: each reply is decoded and compared
 * with what the original answered. Differences are wanted only where they are listed below, with the reason.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { startServer, type TestServer } from './server.ts';
import { decodeReplies, type RecordedReply } from './transcript.ts';
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
  for (let at = data.indexOf('"2026-'); at >= 0; at = data.indexOf('"2026-', at + 1))
    data.write('21', at + 1);
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

/** Sessions recorded on state that another server had, or that show a defect of the original; why. */
const NOT_COMPARED: Readonly<Record<string, string>> = {
  'raw-getobjects-none': 'the original names the wrong hash',
  'raw-getobjects-one-missing': 'the original names the wrong hash',
  'raw-addimage-nil': 'the original drops the connection',
};

const gobSessions = sessions.filter(({ name }) => !name.startsWith('json-') && !name.startsWith('replica-'));
/** Calls whose replies cannot be told apart without the requests. */
const UNPARSED = new Set(['ObjectServer.AddObjects', 'ObjectServer.TestBandwidth']);

describeWithVectors('recorded sessions said again to our server', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ args: ['-trashGracePeriod=0s', '-objectGracePeriod=0s'] });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  for (const session of gobSessions) {
    test(session.name, async () => {
      // The image of the first connection needs the object that the second one brought meanwhile.
      const order = session.name === 'add-dir-full' ? session.connections.toReversed() : session.connections;
      for (const file of order) {
        const answer = await say(server.port, recorded(file, 'c2s'));
        const called = session.calls[file]?.methods ?? [];
        if (session.name in NOT_COMPARED || called.some((name) => UNPARSED.has(name))) continue;
        if (session.name.startsWith('raw-') || session.name.startsWith('gob-')) continue;
        const ours = await decodeReplies(answer, called);
        const theirs = await decodeReplies(recorded(file, 's2c'), called);
        expect(comparable(ours)).toEqual(comparable(theirs));
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
