/** The Logger service: over gob and JSON, over HTTP, to slow listeners, and with the original's logtool. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type ClientChannel, connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import {
  DebugRequest,
  DebugResponse,
  PrintRequest,
  PrintResponse,
  SetDebugLevelRequest,
  SetDebugLevelResponse,
  WatchRequest,
  WatchResponse,
} from '../src/wire/messages/logger.ts';
import { PEER_DIRECTORY } from './replication-lab.ts';
import { runProgram, startServer, type TestServer } from './server.ts';

let server: TestServer;
let client: SrpcClient;
beforeAll(async () => {
  server = await startServer();
  client = await connectSrpc({ host: '127.0.0.1', port: server.port });
});
afterAll(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
});

const print = (...Args: string[]) =>
  client.call('Logger.Print', PrintRequest, PrintResponse, { Args, Name: '' });
const debug = (Level: number, text: string) =>
  client.call('Logger.Debug', DebugRequest, DebugResponse, { Args: [text], Name: '', Level });
const setLevel = (Level: number) =>
  client.call('Logger.SetDebugLevel', SetDebugLevelRequest, SetDebugLevelResponse, { Name: '', Level });

const WATCH = { DebugLevel: -1, ExcludeRegex: '', IncludeRegex: '', Name: '' };

async function watch(request: Partial<typeof WATCH>): Promise<{ channel: ClientChannel; close(): void }> {
  const listener = await connectSrpc({ host: '127.0.0.1', port: server.port });
  const channel = await listener.open('Logger.Watch');
  await channel.send(WatchRequest, { ...WATCH, ...request });
  await channel.flush();
  const reply = await channel.receive(WatchResponse);
  expect(reply).toEqual({ Error: '' });
  return { channel, close: () => listener.close() };
}

/** Without the times. */
const textOf = (line: string) => line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, '');

test('listeners get what they asked for', async () => {
  const all = await watch({ DebugLevel: 5 });
  const some = await watch({ IncludeRegex: 'Print.*x', ExcludeRegex: 'xy$' });
  await print('a', 'b', 'c');
  await print('x');
  await print('xy');
  await debug(3, 'hello x');
  await setLevel(3);
  await debug(6, 'nobody');
  await print('last x');
  const heard: string[] = [];
  while (heard.at(-1) !== 'Logger.Print(): last x') heard.push(textOf(await all.channel.readLine()));
  expect(heard).toEqual([
    'Logger.Print(): a b c',
    'Logger.Print(): x',
    'Logger.Print(): xy',
    'Logger.Debug(3): hello x',
    'Logger.SetDebugLevel(3)',
    'Logger.Print(): last x',
  ]);
  expect(textOf(await some.channel.readLine())).toBe('Logger.Print(): x');
  expect(textOf(await some.channel.readLine())).toBe('Logger.Print(): xy');
  expect(textOf(await some.channel.readLine())).toBe('Logger.Print(): last x');
  all.close();
  some.close();
  await setLevel(-1);
});

test('what is wrong with a request is told, and the connection goes on', async () => {
  const other = await connectSrpc({ host: '127.0.0.1', port: server.port });
  const ask = async (request: Partial<typeof WATCH>) => {
    const channel = await other.open('Logger.Watch');
    await channel.send(WatchRequest, { ...WATCH, ...request });
    const reply = await channel.receive(WatchResponse);
    channel.end();
    return reply?.Error;
  };
  expect(await ask({ Name: 'none' })).toBe('unknown logger: none');
  expect(await ask({ IncludeRegex: '(' })).toBe('error parsing regexp: missing closing ): `(`');
  await other.ping();
  other.close();
  const wrong = { Args: ['x'], Name: 'none' };
  expect(client.call('Logger.Print', PrintRequest, PrintResponse, wrong)).rejects.toThrow(
    'unknown logger: none',
  );
});

/** A connection with the JSON coder: says what it is told, `until` waits for text. */
async function jsonConnection() {
  const socket = connect({ host: '127.0.0.1', port: server.port, noDelay: true });
  let heard = '';
  let wake = () => {};
  socket.on('data', (chunk) => {
    heard += chunk;
    wake();
  });
  socket.on('close', () => wake());
  const until = async (end: string): Promise<string> => {
    while (!heard.includes(end) && !socket.destroyed)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    const text = heard;
    heard = '';
    return text;
  };
  socket.write('CONNECT /_SRPC_/unsecured/JSON HTTP/1.0\n\n');
  await until('\n\n');
  return { socket, until };
}

test('JSON', async () => {
  const listener = await jsonConnection();
  listener.socket.write('Logger.Watch\n');
  await listener.until('\n');
  listener.socket.write('{"DebugLevel":-7}\n');
  expect(await listener.until('}\n')).toBe('{"Error":""}\n');
  const speaker = await jsonConnection();
  speaker.socket.write('Logger.Print\n');
  await speaker.until('\n');
  speaker.socket.write('{"Args":["x"]}\n');
  expect(await speaker.until('}\n')).toBe('\n{}\n');
  expect(textOf(await listener.until('\n'))).toBe('Logger.Print(): x\n');
  listener.socket.destroy();
  speaker.socket.destroy();
});

test('HTTP: lines as JSON strings', async () => {
  const response = await fetch(`${server.url}/rpc/Logger.Watch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ IncludeRegex: 'over HTTP' }),
  });
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const reading = reader.read();
  // The answer's head does not say that listening has begun: speak until it is heard.
  let heard = false;
  reading.then(() => {
    heard = true;
  });
  while (!heard) await print('over HTTP');
  const [first] = Buffer.from((await reading).value ?? [])
    .toString()
    .split('\n');
  expect(textOf(JSON.parse(first as string))).toBe('Logger.Print(): over HTTP');
  await reader.cancel();
});

test('a slow listener is dropped with a reason and costs nobody anything', async () => {
  const slow = connect({ host: '127.0.0.1', port: server.port });
  const closed = new Promise((resolve) => slow.on('close', resolve));
  slow.on('error', () => undefined);
  slow.write('CONNECT /_SRPC_/unsecured/JSON HTTP/1.0\n\n');
  await new Promise((resolve) => slow.once('data', resolve));
  slow.pause();
  slow.write('Logger.Watch\n{}\n');
  const other = await watch({ IncludeRegex: 'end of the flood' });
  const dropped = 'Logger.Watch: dropped listener 127.0.0.1: listener is too far behind';
  const words = 'x'.repeat(10_000);
  let told = false;
  // The sockets' own buffers take some megabytes first.
  for (let count = 1; count <= 3000 && !told; count++) {
    await print(words);
    if (count % 100 === 0) told = server.stderr().includes(dropped);
  }
  expect(told).toBe(true);
  await print('end of the flood');
  expect(textOf(await other.channel.readLine())).toBe('Logger.Print(): end of the flood');
  other.close();
  slow.resume();
  await closed;
}, 60_000);

test('there may be a hundred listeners', async () => {
  const listeners = [];
  for (let count = 0; count < 100; count++) listeners.push(await watch({}));
  const channel = await client.open('Logger.Watch');
  await channel.send(WatchRequest, WATCH);
  expect(await channel.receive(WatchResponse)).toEqual({ Error: '100 listeners watch the log already' });
  channel.end();
  for (const listener of listeners) listener.close();
});

test('the list of methods has the original’s 24', async () => {
  const text = await (await fetch(`${server.url}/_goSRPC_/listMethods`)).text();
  for (const name of ['Debug', 'Print', 'SetDebugLevel', 'Watch']) expect(text).toContain(`Logger.${name}\n`);
});

const describePeers = PEER_DIRECTORY === '' ? describe.skip : describe;
describePeers("the original's logtool", () => {
  const logtool = (...words: string[]) =>
    runProgram([
      join(PEER_DIRECTORY, 'bin', 'logtool'),
      '-certDirectory=',
      '-loggerHostname=127.0.0.1',
      `-loggerPortNum=${server.port}`,
      ...words,
    ]);

  test('watches, prints, sets the level', async () => {
    const child = Bun.spawn(
      [
        join(PEER_DIRECTORY, 'bin', 'logtool'),
        '-certDirectory=',
        '-loggerHostname=127.0.0.1',
        `-loggerPortNum=${server.port}`,
        '-excludeRegex=silence',
        'watch',
        '2',
      ],
      { stdout: 'pipe', stderr: 'inherit' },
    );
    const reader = child.stdout.getReader();
    // Nothing tells when it listens: speak until it is heard.
    const first = reader.read();
    let listening = false;
    first.then(() => {
      listening = true;
    });
    while (!listening) await print('are you there?');
    await first;
    for (const words of [
      ['print', 'two', 'words'],
      ['print', 'silence'],
      ['debug', '2', 'low'],
      ['debug', '3', 'high'],
      ['set-debug-level', '1'],
      ['print', 'the end'],
    ])
      expect(await logtool(...words)).toEqual({ status: 0, stdout: '', stderr: '' });
    let text = '';
    while (!text.includes('the end')) text += Buffer.from((await reader.read()).value ?? []).toString();
    child.kill();
    await child.exited;
    const lines = text.trimEnd().split('\n').map(textOf);
    expect(lines.filter((line) => !line.endsWith('are you there?'))).toEqual([
      'Logger.Print(): two words',
      'Logger.Debug(2): low',
      'Logger.SetDebugLevel(1)',
      'Logger.Print(): the end',
    ]);
  });

  test.each([
    [['-loggerName=foo', 'print', 'a'], 'Error sending log: unknown logger: foo\n'],
    [['-loggerName=foo', 'debug', '1', 'a'], 'Error sending debug log: unknown logger: foo\n'],
    [['-loggerName=foo', 'set-debug-level', '1'], 'Error setting debug level: unknown logger: foo\n'],
    [['-loggerName=foo', 'watch', '1'], 'Error watching: unknown logger: foo\n'],
    [['-includeRegex=(', 'watch', '1'], 'Error watching: error parsing regexp: missing closing ): `(`\n'],
  ])('%p says what the original’s server made it say', async (words, stderr) => {
    expect(await logtool(...words)).toEqual({ status: 1, stdout: '', stderr });
  });
});
