import { describe, expect, test } from 'bun:test';
import { GobEncoder } from '../wire/gob/encoder.ts';
import { CheckImageRequest, CheckImageResponse } from '../wire/messages/imageserver.ts';
import type { CallRecord } from './call.ts';
import { Events, fakeMethods, RawPeer, startFakeServer } from './fixture.ts';
import { Stopping } from './stopping.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const request = (ImageName: string) => text(new GobEncoder().encode(CheckImageRequest, { ImageName }));
const reply = (ImageExists: boolean) => text(new GobEncoder().encode(CheckImageResponse, { ImageExists }));

/** Says everything at once or byte by byte, ends its side, returns what it hears. */
async function converse(port: number, said: string, bytewise = false): Promise<string> {
  using peer = await RawPeer.to(port);
  if (bytewise)
    for (const character of said) {
      peer.say(character);
      await new Promise((resolve) => setImmediate(resolve));
    }
  else peer.say(said);
  peer.socket.end();
  return await peer.rest();
}

const CALLS: readonly (readonly [string, string, string])[] = [
  ['ping', '\n', '\n'],
  ['ping with CRLF', '\r\n', '\n'],
  ['ping with blanks', ' \t \n', '\n'],
  ['three pings', '\n\n\n', '\n\n\n'],
  ['no dot', 'Fake\n', 'malformed Service.Method: Fake\n'],
  ['two dots', 'A.B.C\n', 'malformed Service.Method: A.B.C\n'],
  ['unknown service', 'Nope.X\n', 'unknown service: Nope\n'],
  ['upgrade that HEAD clients try', '.LocalUpgradeToUnix\n', 'unknown service: \n'],
  ['unknown method', 'Fake.Nope\n', 'Fake: unknown method: Nope\n'],
  ['bytes that are no text', 'A\xff\x82.B\n', 'unknown service: A\xff\x82\n'],
  ['denied, then usable', 'Fake.Denied\n\n', 'access to method denied\n\n'],
  ['call', `Fake.CheckImage\n${request('yes')}`, `\n\n${reply(true)}`],
  ['call with CRLF', `Fake.CheckImage\r\n${request('no')}`, `\n\n${reply(false)}`],
  ['call answered later', `Fake.CheckLater\n${request('yes')}`, `\n\n${reply(true)}`],
  ['two calls', `Fake.CheckImage\n${request('yes')}`.repeat(2), `\n\n${reply(true)}`.repeat(2)],
  ['error line, newline replaced', `Fake.CheckImage\n${request('error')}\n`, '\ntwo lines\n\n'],
  ['error line, later', `Fake.CheckLater\n${request('error')}\n`, '\nlater\n\n'],
  ['defect: nothing is told', `Fake.CheckImage\n${request('defect')}\n`, '\ninternal error\n\n'],
  ['request cut off', 'Fake.CheckImage\n\x20abc', '\nunexpected EOF\n'],
  ['no request', 'Fake.CheckImage\n', '\nEOF\n'],
  ['method name cut off', 'Fake.Check', ''],
  [
    'message too long',
    'Fake.CheckImage\n\xf8\xff\xff\xff\xff\xff\xff\xff\xff\n',
    '\ninvalid message length\n',
  ],
  ['lines', 'Fake.Lines\n\n', '\none\ntwo\n\n\n'],
  ['raw bytes', `Fake.Echo\n${request('5')}hello`, `\n${request('5')}hello`],
  ['channel ends, connection goes on', `Fake.Echo\n${request('')}\n`, '\n\n'],
  [
    'channel fails: what was sent arrives, then the end',
    `Fake.Echo\n${request('fail')}\n`,
    `\n${request('failing')}`,
  ],
];

describe('the call loop', () => {
  for (const bytewise of [false, true])
    for (const [name, said, heard] of CALLS)
      test(`${name}${bytewise ? ', byte by byte' : ''}`, async () => {
        await using server = await startFakeServer();
        const answer = await converse(server.port, said, bytewise);
        if (name === 'message too long') expect(answer).toStartWith(heard);
        else expect(answer).toBe(heard);
      });

  test('the acceptance comes before the request is sent', async () => {
    await using server = await startFakeServer();
    using peer = await RawPeer.to(server.port);
    for (let round = 0; round < 3; round++) {
      peer.say('Fake.CheckImage\n');
      expect(await peer.hear(1)).toBe('\n');
      peer.say(request('yes'));
      expect(await peer.hear(2)).toBe(`\n${reply(true)}`);
    }
  });

  test('a defect is logged, not told', async () => {
    await using server = await startFakeServer();
    await converse(server.port, `Fake.CheckImage\n${request('defect')}`);
    expect(server.log.join()).toContain('/secret/path');
  });

  test('a list ends with its end mark', async () => {
    await using server = await startFakeServer();
    const encoder = new GobEncoder();
    const expected = Array.from({ length: 1000 }, (_, index) =>
      text(encoder.encode(CheckImageRequest, { ImageName: `image-${index + 1}` })),
    ).join('');
    const end = text(encoder.encode(CheckImageRequest, { ImageName: '' }));
    expect(await converse(server.port, 'Fake.List\n\n')).toBe(`\n${expected}${end}\n`);
  });

  test('a method line that is too long or too slow closes the connection', async () => {
    await using server = await startFakeServer({ methodLine: { maxBytes: 100, timeoutMs: 50 } });
    expect(await converse(server.port, `\n${'x'.repeat(200)}`)).toBe('\n');
    using peer = await RawPeer.to(server.port);
    peer.say('\nFake.');
    expect(await peer.rest()).toBe('\n');
  });

  test('many calls in one write are all answered, and others get their turn', async () => {
    await using server = await startFakeServer();
    const said = `Fake.CheckImage\n${request('yes')}`;
    const answer = await converse(server.port, said.repeat(2000));
    expect(answer).toBe(`\n\n${reply(true)}`.repeat(2000));
  });

  test('a peer that does not read what it is sent is not read from either', async () => {
    await using server = await startFakeServer();
    using peer = await RawPeer.to(server.port);
    peer.socket.pause();
    const pings = Buffer.alloc(1024 * 1024, '\n');
    let accepted = 0;
    for (let index = 0; index < 64; index++) peer.socket.write(pings, () => accepted++);
    // Wait until nothing moves any more.
    for (let last = -1; last !== accepted; ) {
      last = accepted;
      await Bun.sleep(100);
    }
    expect(accepted).toBeLessThan(64);
    expect(server.sockets[0]?.writableLength).toBeLessThan(1024 * 1024);
  });

  test('every call is recorded with its outcome', async () => {
    const records: CallRecord[] = [];
    await using server = await startFakeServer({ onCall: (record) => records.push(record) });
    await converse(
      server.port,
      `Fake.Denied\nFake.CheckImage\n${request('yes')}Fake.CheckLater\n${request('error')}Fake.Echo\n${request('fail')}`,
    );
    expect(
      records.map(({ method, decision, error }) => [method.name, decision.allowed, error?.message]),
    ).toEqual([
      ['Fake.Denied', false, undefined],
      ['Fake.CheckImage', true, undefined],
      ['Fake.CheckLater', true, 'later'],
      ['Fake.Echo', true, 'asked to fail'],
    ]);
    for (const { milliseconds } of records) expect(milliseconds).toBeLessThan(5000);
  });

  test('a client that gave up its powers has no method access', async () => {
    const seen: boolean[] = [];
    await using server = await startFakeServer({
      withoutPowers: true,
      onCall: ({ decision }) => seen.push(decision.methodAccess),
    });
    await converse(server.port, `Fake.CheckImage\n${request('yes')}`);
    expect(seen).toEqual([false]);
  });
});

describe('live events', () => {
  test('reach every listener at once, and a listener that goes ends its call', async () => {
    const events = new Events();
    await using server = await startFakeServer({ methods: fakeMethods(events) });
    const encoder = new GobEncoder();
    const encode = (ImageName: string) => text(encoder.encode(CheckImageRequest, { ImageName }));
    events.send('first');
    const peers = await Promise.all([RawPeer.to(server.port), RawPeer.to(server.port)]);
    const first = `\n${encode('first')}`;
    for (const peer of peers) {
      peer.say('Fake.Events\n');
      expect(await peer.hear(first.length)).toBe(first);
    }
    const second = encode('second');
    events.send('second');
    for (const peer of peers) expect(await peer.hear(second.length)).toBe(second);
    // Whatever a listener says is not looked at.
    peers[0]?.say('nonsense\n\n');
    const third = encode('third');
    events.send('third');
    for (const peer of peers) expect(await peer.hear(third.length)).toBe(third);
    expect(events.listeners).toBe(2);
    peers[0]?.socket.end();
    expect(await peers[0]?.rest()).toBe('');
    peers[1]?.socket.destroy();
    while (events.listeners > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test('end when the server stops', async () => {
    const stopping = new Stopping();
    await using server = await startFakeServer({ stopping });
    const listener = await RawPeer.to(server.port);
    const idle = await RawPeer.to(server.port);
    listener.say('Fake.Events\n');
    idle.say('\n');
    await Promise.all([listener.hear(1), idle.hear(1)]);
    stopping.begin();
    expect(await listener.rest()).toBe('');
    expect(await idle.rest()).toBe('');
  });
});

describe('JSON', () => {
  const json = { coder: 'json' } as const;
  test.each([
    ['value with newline', 'Fake.CheckImage\n{"ImageName":"yes"}\n\n', '\n\n{"ImageExists":true}\n\n'],
    ['value without newline', 'Fake.CheckImage\n{"ImageName":"yes"}', '\n\n{"ImageExists":true}\n'],
    ['pipelined', 'Fake.CheckImage\n{"ImageName":"yes"}\n'.repeat(2), '\n\n{"ImageExists":true}\n'.repeat(2)],
    [
      'names without case, unknown fields',
      'Fake.CheckImage\n{"imagename":"yes","x":[{}]}',
      '\n\n{"ImageExists":true}\n',
    ],
    [
      'braces in strings',
      'Fake.CheckImage\n{"x":"}\\"}","ImageName":"yes"}\n\n',
      '\n\n{"ImageExists":true}\n\n',
    ],
    ['lines', 'Fake.Lines\n', '\none\ntwo\n\n'],
    ['raw bytes', 'Fake.Echo\n{"ImageName":"5"}hello{"ImageName":""}\n\n', '\n{"ImageName":"5"}\nhello\n'],
    ['raw bytes after newline', 'Fake.Echo\n{"ImageName":"5"}\nhello', '\n{"ImageName":"5"}\nhello'],
    ['cut off', 'Fake.CheckImage\n{"ImageName":', '\nunexpected EOF\n'],
  ])('%s', async (_name, said, heard) => {
    await using server = await startFakeServer(json);
    expect(await converse(server.port, said)).toBe(heard);
  });

  test('bad syntax is told and the connection goes on', async () => {
    await using server = await startFakeServer(json);
    const answer = await converse(server.port, 'Fake.CheckImage\n{"ImageName":}\n\nNope.X\n');
    expect(answer).toMatch(/^\n[^\n]+\n\nunknown service: Nope\n$/);
  });

  test('a newline written separately belongs to the value', async () => {
    await using server = await startFakeServer(json);
    using peer = await RawPeer.to(server.port);
    peer.say('Fake.CheckImage\n');
    await peer.hear(1);
    peer.say('{"ImageName":"yes"}');
    peer.say('\n');
    const answer = '\n{"ImageExists":true}\n';
    expect(await peer.hear(answer.length)).toBe(answer);
    peer.say('Fake.Denied\n');
    expect(await peer.hear((heard) => heard.endsWith('denied\n'))).toBe('access to method denied\n');
  });
});
