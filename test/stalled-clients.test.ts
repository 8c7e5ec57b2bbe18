/**
 * No hanging client harms anybody: for every method of the table, peers that send half a request and fall silent, die in
 * the middle, send garbage or never read. The server ends each within its deadline, gives everything back, and answers
 * others all the while. On the compiled executable where it has been built.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { methods } from '../src/methods/table.ts';
import { connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import { GobEncoder } from '../src/wire/gob/encoder.ts';
import {
  AddImageRequest,
  AddImageResponse,
  CheckImageRequest,
  CheckImageResponse,
  GetImageRequest,
} from '../src/wire/messages/imageserver.ts';
import { AddObjectRequest, GetObjectsRequest } from '../src/wire/messages/objectserver.ts';
import { Dice, imageOf, sha512, upload } from './replication-lab.ts';
import { startServer, type TestServer } from './server.ts';

const STALL_MS = 1500;
/** Deadlines are kept to half a second; a busy machine may take a little longer. */
const PATIENCE_MS = STALL_MS + 30_000;
const BIG = 8 * 1024 * 1024;
const big = new Dice(1).bytes(64 * 1024);
const bigObject = Buffer.concat(Array.from({ length: BIG / big.length }, () => big));

let server: TestServer;
let steady: SrpcClient;
const open: Socket[] = [];
const descriptors = () => readdirSync(`/proc/${server.pid}/fd`).length;
const residentMiB = () =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;
const temporaries = () => readdirSync(join(server.directory, 'objects', '.tmp'));
const ask = () =>
  steady.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, { ImageName: 'big' });

beforeAll(async () => {
  server = await startServer({
    args: [`-stallTimeout=${STALL_MS}ms`, `-methodLineTimeout=${STALL_MS}ms`, '-minFreeBytes=1'],
  });
  steady = await connectSrpc({ host: '127.0.0.1', port: server.port });
  await upload(steady, [bigObject]);
  await steady.call('ImageServer.AddImage', AddImageRequest, AddImageResponse, {
    ImageName: 'big',
    Image: imageOf([bigObject]),
  });
  await ask();
}, 60_000);
afterAll(async () => {
  for (const socket of open) socket.destroy();
  steady.close();
  await server[Symbol.asyncDispose]();
});

interface Peer {
  readonly socket: Socket;
  /** What came so far. */
  readonly heard: () => string;
  readonly closed: Promise<void>;
}

/** A connection to the plain endpoint of a coder, past its handshake. */
async function dial(path = '/_goSRPC_/', port = server.port): Promise<Peer> {
  const socket = connect(port, '127.0.0.1');
  open.push(socket);
  let text = '';
  const ready = Promise.withResolvers<void>();
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    if (text.length < 100_000) text += chunk.toString('latin1');
    if (text.includes('\n\n')) ready.resolve();
  });
  socket.write(`CONNECT ${path} HTTP/1.0\n\n`);
  await ready.promise;
  text = '';
  return { socket, heard: () => text, closed };
}

/** Resolves with how long it took, milliseconds; a peer that is not let go fails the test. */
async function letGo({ closed }: Peer): Promise<number> {
  const started = performance.now();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('still connected')), PATIENCE_MS);
  try {
    await Promise.race([closed, late.promise]);
  } finally {
    clearTimeout(timer);
  }
  return performance.now() - started;
}

/** Everything that was taken for the peers is given back, soon. */
async function givenBack(before: number): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end && (descriptors() > before || temporaries().length > 0)) await Bun.sleep(20);
  expect({ descriptors: descriptors() <= before, temporaries: temporaries() }).toEqual({
    descriptors: true,
    temporaries: [],
  });
}

/** While something goes on others are served, each without a noticeable wait. */
async function whileServing<T>(work: Promise<T>): Promise<T> {
  let over = false;
  const done = work.finally(() => {
    over = true;
  });
  // It is reported when the loop has ended.
  done.catch(() => undefined);
  while (!over) {
    await ask();
    await Bun.sleep(5);
  }
  return done;
}

/** A gob message that announces 90 bytes, with the first ten of them; what JSON begins with. */
const HALF = {
  gob: Buffer.from([90, ...Array.from({ length: 10 }, () => 0x21)]),
  json: Buffer.from('{"ImageNa'),
};
const PATHS = { gob: '/_goSRPC_/', json: '/_SRPC_/unsecured/JSON' };
/** They answer without being asked anything. */
const WITHOUT_REQUEST = [...methods.values()]
  .filter(({ shape }) => shape === 'lines' || shape === 'stream')
  .map(({ name }) => name);
const withRequest = [...methods.keys()].filter((name) => !WITHOUT_REQUEST.includes(name));

describe.each(['gob', 'json'] as const)('%s', (coder) => {
  test('half a request and silence: cut off at the deadline, whatever the method', async () => {
    const before = descriptors();
    const peers = await Promise.all(
      withRequest.map(async (name) => {
        const peer = await dial(PATHS[coder]);
        peer.socket.write(Buffer.concat([Buffer.from(`${name}\n`), HALF[coder]]));
        return peer;
      }),
    );
    const times = await whileServing(Promise.all(peers.map(letGo)));
    for (const [index, name] of withRequest.entries())
      expect([name, (times[index] as number) > STALL_MS - 600]).toEqual([name, true]);
    await givenBack(before);
  }, 60_000);

  test('dead in the middle of a request: given back at once', async () => {
    const before = descriptors();
    for (const how of ['end', 'reset'] as const)
      for (const name of methods.keys()) {
        const peer = await dial(PATHS[coder]);
        peer.socket.write(Buffer.concat([Buffer.from(`${name}\n`), HALF[coder]]));
        if (how === 'end') peer.socket.end();
        else peer.socket.resetAndDestroy();
      }
    await whileServing(givenBack(before));
  }, 60_000);

  test('garbage for a request: an answer or the end, and others are served', async () => {
    const before = descriptors();
    const dice = new Dice(7);
    const peers = await Promise.all(
      withRequest.map(async (name) => {
        const peer = await dial(PATHS[coder]);
        peer.socket.write(Buffer.concat([Buffer.from(`${name}\n`), dice.bytes(3000)]));
        return { name, peer };
      }),
    );
    for (const { name, peer } of peers) {
      await whileServing(letGo(peer));
      // The line that accepts the call, then at most an error: never a crash in words of the runtime.
      expect([name, peer.heard()]).toEqual([
        name,
        expect.not.stringMatching(/TypeError|at .*\.ts:|undefined/),
      ]);
    }
    await givenBack(before);
  }, 120_000);
});

describe('nobody reads', () => {
  const gob = (schema: Parameters<GobEncoder['encode']>[0], value: unknown) =>
    new GobEncoder().encode(schema, value as never);
  const GET_IMAGE = {
    ImageName: 'big',
    IgnoreFilesystem: false,
    IgnoreFilesystemIfExpiring: false,
    Timeout: 0n,
  };
  const floods: readonly [what: string, call: Buffer, times: number][] = [
    [
      'GetObjects',
      Buffer.concat([
        Buffer.from('ObjectServer.GetObjects\n'),
        gob(GetObjectsRequest, { Exclusive: false, Hashes: [sha512(bigObject)] }),
      ]),
      4,
    ],
    [
      'GetImage',
      Buffer.concat([Buffer.from('ImageServer.GetImage\n'), gob(GetImageRequest, GET_IMAGE)]),
      20_000,
    ],
    [
      'CheckImage',
      Buffer.concat([Buffer.from('ImageServer.CheckImage\n'), gob(CheckImageRequest, { ImageName: 'big' })]),
      100_000,
    ],
    ...WITHOUT_REQUEST.filter((name) => name !== 'ImageServer.GetImageUpdates').map(
      (name): [string, Buffer, number] => [name, Buffer.from(`${name}\n`), 2_000_000],
    ),
    ['unknown methods', Buffer.from('No.Such\n'), 300_000],
  ];
  test.each(floods)(
    '%s: cut off at the deadline, memory stays bounded',
    async (_what, call, times) => {
      const before = descriptors();
      const resident = residentMiB();
      const peers = await Promise.all(Array.from({ length: 4 }, () => dial()));
      const flood = Buffer.concat(Array.from({ length: Math.min(times, 1000) }, () => call));
      for (const { socket } of peers) {
        socket.pause();
        // As much as the server takes; the kernel holds the rest back.
        for (let sent = 0; sent < times; sent += 1000) socket.write(flood);
      }
      // A peer that is cut off is not told while it does not read: the server's side is looked at.
      await whileServing(givenBack(before));
      for (const { socket } of peers) socket.destroy();
      expect(residentMiB() - resident).toBeLessThan(80);
    },
    120_000,
  );

  const deaf: readonly [transport: string, listen: (port: number) => Promise<Peer>, line: RegExp][] = [
    [
      'SRPC',
      async (port) => {
        const peer = await dial(PATHS.gob, port);
        peer.socket.pause();
        peer.socket.write('ImageServer.GetImageUpdates\n');
        return peer;
      },
      /GetImageUpdates: dropped listener 127.0.0.1: the peer moved no byte for 1.5 s \(-stallTimeout\)/,
    ],
    [
      'HTTP',
      async (port) => {
        const socket = connect(port, '127.0.0.1');
        open.push(socket);
        socket.pause();
        socket.on('error', () => undefined);
        socket.write('GET /rpc/ImageServer.GetImageUpdates HTTP/1.1\r\nHost: localhost\r\n\r\n');
        const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
        return { socket, heard: () => '', closed };
      },
      /HTTP answer to 127.0.0.1 broken off: the client moved no byte for 1.5 s/,
    ],
  ];
  test.each(deaf)(
    'a deaf listener to updates is cut off, and the log says why: %s',
    async (_, listen, line) => {
      // The list is longer than what the kernel takes for a connection.
      const directory = mkdtempSync(join(tmpdir(), 'deaf-listener-'));
      const parent = join(directory, 'images', ...Array.from({ length: 3 }, () => 'directory '.repeat(24)));
      for (let index = 0; index < 8000; index++) mkdirSync(join(parent, `${index}`), { recursive: true });
      await using other = await startServer({ directory, args: [`-stallTimeout=${STALL_MS}ms`] });
      const { socket } = await listen(other.port);
      const end = performance.now() + PATIENCE_MS;
      while (!line.test(other.stderr()) && performance.now() < end) await Bun.sleep(20);
      expect(other.stderr()).toMatch(line);
      socket.destroy();
    },
    90_000,
  );
  test('a listener to updates that is silent is no stalled client', async () => {
    const peer = await dial();
    peer.socket.write('ImageServer.GetImageUpdates\n');
    await Bun.sleep(STALL_MS * 2);
    expect(peer.socket.destroyed).toBeFalse();
    expect(peer.heard()).toContain('big');
    peer.socket.destroy();
  }, 30_000);
  test('nor is a connection between calls, or one whose call waits for an image', async () => {
    const idle = await connectSrpc({ host: '127.0.0.1', port: server.port });
    const waiting = await dial();
    waiting.socket.write(
      Buffer.concat([
        Buffer.from('ImageServer.GetImage\n'),
        gob(GetImageRequest, {
          ...GET_IMAGE,
          ImageName: 'later',
          Timeout: BigInt(STALL_MS * 2) * 1_000_000n,
        }),
      ]),
    );
    await Bun.sleep(STALL_MS * 2 + 1000);
    expect(waiting.socket.destroyed).toBeFalse();
    expect(waiting.heard().length).toBeGreaterThan(2);
    await idle.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, { ImageName: 'big' });
    idle.close();
    waiting.socket.destroy();
  }, 30_000);
});

describe('AddObjects', () => {
  const begin = async (length: bigint) => {
    const peer = await dial();
    const request = new GobEncoder().encode(AddObjectRequest, { Length: length, ExpectedHash: null });
    peer.socket.write(Buffer.concat([Buffer.from('ObjectServer.AddObjects\n'), request]));
    return peer;
  };
  test('half an object and silence: cut off, the temporary file goes, the announced room is free again', async () => {
    const before = descriptors();
    const peers = await Promise.all([...Array(20).keys()].map(() => begin(BigInt(BIG))));
    for (const { socket } of peers) socket.write(bigObject.subarray(0, BIG / 2));
    const end = performance.now() + PATIENCE_MS;
    while (temporaries().length < peers.length && performance.now() < end) await Bun.sleep(10);
    expect(temporaries()).toHaveLength(peers.length);
    await whileServing(Promise.all(peers.map(letGo)));
    await givenBack(before);
    await upload(steady, [Buffer.from('there is room')]);
  }, 60_000);
  test('dead in the middle of an object', async () => {
    const before = descriptors();
    for (const how of ['end', 'reset'] as const) {
      const { socket } = await begin(BigInt(BIG));
      socket.write(bigObject.subarray(0, BIG / 2));
      while (temporaries().length === 0) await Bun.sleep(5);
      if (how === 'end') socket.end();
      else socket.resetAndDestroy();
      await whileServing(givenBack(before));
    }
  }, 60_000);
  test('garbage between objects: the end, what was announced before is not stored', async () => {
    const before = descriptors();
    const peer = await begin(5n);
    peer.socket.write('whole');
    peer.socket.write(Buffer.from(new Uint8Array(1000).fill(0xfe)));
    await whileServing(letGo(peer));
    await givenBack(before);
    const check = await fetch(`${server.url}/objects/${sha512(Buffer.from('whole'))}`, { method: 'HEAD' });
    expect(check.status).toBe(404);
  }, 60_000);
  test('absurd lengths are refused and nothing is taken for them', async () => {
    const before = descriptors();
    for (const length of [1n << 62n, (1n << 64n) - 1n, 1n << 45n]) {
      const peer = await begin(length);
      await whileServing(letGo(peer));
      expect(temporaries()).toEqual([]);
    }
    await givenBack(before);
  }, 60_000);
});
