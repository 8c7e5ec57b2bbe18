import { describe, expect, test } from 'bun:test';
import { connect as dial } from 'node:net';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { RawPeer } from '../srpc/fixture.ts';
import { certificates, startFront } from './front-fixture.ts';

const CONNECTED = 'HTTP/1.0 200 Connected to Go SRPC\n\n';
const GET = 'GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

async function say(port: number, said: string): Promise<string> {
  using peer = await RawPeer.to(port);
  peer.say(said);
  return await peer.hear((text) => /\n\r?\n$/.test(text) || text.includes('nobody'));
}

/** TLS from the first byte. */
function secureTo(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }, () =>
      resolve(socket),
    );
    socket.once('error', reject);
  });
}

const pair = ({ cert, key }: { cert: string; key: string }) => ({ cert, key });

describe('without TLS', () => {
  test.each([
    ['gob', 'CONNECT /_goSRPC_/ HTTP/1.0\n\n', CONNECTED],
    [
      'gob below the path, query, headers, CRLF',
      'CONNECT /_goSRPC_/x?a=b HTTP/1.1\r\nHost: x\r\n\r\n',
      CONNECTED,
    ],
    ['JSON', 'CONNECT /_SRPC_/unsecured/JSON HTTP/1.0\n\n', CONNECTED],
    ['pipelined', 'CONNECT /_goSRPC_/ HTTP/1.0\n\n\n', `${CONNECTED}\n`],
    ['TLS endpoint', 'CONNECT /_go_TLS_SRPC_/ HTTP/1.0\n\n', /^HTTP\/1\.0 404 Not Found\r\n/],
    ['unknown path', 'CONNECT /x HTTP/1.0\n\n', /^HTTP\/1\.0 404 [\s\S]*404 page not found\n$/],
    ['missing slash', 'CONNECT /_goSRPC_ HTTP/1.0\n\n', /^HTTP\/1\.0 301 [\s\S]*Location: \/_goSRPC_\/\r\n/],
    ['proxy request', 'CONNECT example.com:443 HTTP/1.1\r\n\r\n', /^HTTP\/1\.0 400 /],
    [
      'GET of an endpoint',
      'GET /_goSRPC_/ HTTP/1.1\r\nHost: x\r\n\r\n',
      /^HTTP\/1\.0 405 Method Not Allowed\r\n/,
    ],
    ['made-up method for an endpoint', 'FOO /_goSRPC_/ HTTP/1.0\r\n\r\n', /^HTTP\/1\.0 405 /],
    ['made-up method for a page', 'FOO /page HTTP/1.0\r\n\r\n', /^HTTP\/1\.1 501 /],
    [
      'made-up method, missing slash',
      'connect /_goSRPC_?a HTTP/1.0\r\n\r\n',
      /Location: \/_goSRPC_\/\?a\r\n/,
    ],
    ['HTTP', GET, /GET \/page nobody false$/],
  ] as const)('%s', async (_name, said, heard) => {
    await using server = await startFront();
    const answer = await say(server.port, said);
    if (typeof heard === 'string') expect(answer).toBe(heard);
    else expect(answer).toMatch(heard);
  });

  test('the first bytes may come one by one', async () => {
    await using server = await startFront();
    using peer = await RawPeer.to(server.port);
    for (const byte of 'CONNECT /_goSRPC_/ HTTP/1.0\n\n') {
      peer.say(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await peer.hear(CONNECTED.length)).toBe(CONNECTED);
    peer.say('Nope.X\n');
    expect(await peer.hear(3)).toBe('unknown service: Nope\n');
  });
});

describe('with TLS', () => {
  test.each([
    ['plain endpoint', 'CONNECT /_goSRPC_/ HTTP/1.0\n\n', /^HTTP\/1\.0 405 /],
    ['plain JSON', 'CONNECT /_SRPC_/unsecured/JSON HTTP/1.0\n\n', /^HTTP\/1\.0 405 /],
    ['HTTP', GET, /GET \/page nobody false$/],
  ] as const)('%s', async (_name, said, heard) => {
    await using server = await startFront({ secure: true });
    expect(await say(server.port, said)).toMatch(heard);
  });

  test('a handshake in the tunnel, begun with the request or after the answer', async () => {
    await using server = await startFront({ secure: true });
    const { alice } = await certificates();
    for (const early of [true, false]) {
      const raw = dial(server.port, '127.0.0.1');
      await new Promise((resolve) => raw.once('connect', resolve));
      const request = Buffer.from('CONNECT /_go_TLS_SRPC_/ HTTP/1.0\n\n');
      // A stream between: what TLS wants to say goes along with the request, what comes is cut behind the answer.
      const { Duplex } = await import('node:stream');
      let answered = false;
      const tunnel = new Duplex({
        read() {},
        write(chunk, _encoding, done) {
          raw.write(
            early && !answered && raw.bytesWritten === 0 ? Buffer.concat([request, chunk]) : chunk,
            done,
          );
        },
        final(done) {
          raw.end(done);
        },
      });
      const accepted = Promise.withResolvers<void>();
      raw.on('data', (chunk: Buffer) => {
        if (answered) tunnel.push(chunk);
        else {
          answered = true;
          expect(chunk.subarray(0, CONNECTED.length).toString()).toBe(CONNECTED);
          accepted.resolve();
          if (chunk.length > CONNECTED.length) tunnel.push(chunk.subarray(CONNECTED.length));
        }
      });
      raw.on('close', () => tunnel.push(null));
      if (!early) {
        raw.write(request);
        await accepted.promise;
      }
      const secure = tlsConnect({ socket: tunnel, rejectUnauthorized: false, ...pair(alice) });
      using peer = new RawPeer(secure);
      peer.say('Fake.Nope\n');
      expect(await peer.hear(5)).toBe('Fake: unknown method: Nope\n');
      raw.destroy();
    }
  });

  test('CONNECT within TLS', async () => {
    await using server = await startFront({ secure: true });
    const { alice, mallory } = await certificates();
    using peer = new RawPeer(await secureTo(server.port, pair(alice)));
    peer.say('CONNECT /_go_TLS_SRPC_/ HTTP/1.0\n\n\n');
    expect(await peer.hear(CONNECTED.length + 1)).toBe(`${CONNECTED}\n`);
    for (const options of [{}, pair(mallory)]) {
      using stranger = new RawPeer(await secureTo(server.port, options));
      stranger.say('CONNECT /_go_TLS_SRPC_/ HTTP/1.0\n\n');
      expect(await stranger.rest()).toStartWith('HTTP/1.0 401 Unauthorized\r\n');
    }
    expect(server.refused.map(({ transport, reason }) => [transport, reason])).toEqual([
      ['srpc+tls', 'no client certificate'],
      ['srpc+tls', expect.stringContaining('unknown CA')],
    ]);
  });

  test('HTTPS knows who asks, lets strangers see pages, refuses bad certificates', async () => {
    await using server = await startFront({ secure: true });
    const { alice, anyUsage, mallory } = await certificates();
    for (const [options, heard] of [
      [pair(alice), /GET \/page alice true$/],
      [pair(anyUsage), /GET \/page any true$/],
      [{}, /GET \/page nobody true$/],
      [{ ...pair(alice), maxVersion: 'TLSv1.2' }, /GET \/page alice true$/],
      [pair(mallory), /nobody true refused: issued by an unknown CA/],
    ] as const) {
      using peer = new RawPeer(await secureTo(server.port, options));
      peer.say(GET);
      expect(await peer.rest()).toMatch(heard);
    }
  });

  test('garbage instead of a ClientHello', async () => {
    await using server = await startFront({ secure: true });
    using peer = await RawPeer.to(server.port);
    peer.say(`\x16\x03\x01\x00\x05${'x'.repeat(500)}`);
    await peer.rest();
    while (server.front.connections().open > 0) await Bun.sleep(5);
    expect(server.front.connections().tlsFailures).toBe(1);
  });
});

describe('limits', () => {
  test('connections for each peer', async () => {
    await using server = await startFront({ limits: { connectionsPerPeer: 2 } });
    using first = await RawPeer.to(server.port);
    using _second = await RawPeer.to(server.port);
    using third = await RawPeer.to(server.port);
    await third.rest();
    expect(server.front.connections().refused).toBe(1);
    first.socket.destroy();
    while (server.front.connections().open > 1) await Bun.sleep(5);
    expect(await say(server.port, GET)).toContain('nobody');
  });

  test('those that say nothing make room for those that come', async () => {
    await using server = await startFront({ limits: { connections: 10 } });
    using busy = await RawPeer.to(server.port);
    busy.say('CONNECT /_goSRPC_/ HTTP/1.0\n\n');
    await busy.hear(CONNECTED.length);
    const silent = await Promise.all(Array.from({ length: 30 }, () => RawPeer.to(server.port)));
    expect(await say(server.port, GET)).toContain('nobody');
    busy.say('\n');
    expect(await busy.hear(1)).toBe('\n');
    expect(server.front.connections().open).toBeLessThanOrEqual(10);
    for (const peer of silent) peer.socket.destroy();
  });

  test.each([
    ['nothing', ''],
    ['half a request', 'CONN'],
    ['half a ClientHello', '\x16\x03\x01\x02\x00\x01'],
  ])('%s: a deadline', async (_name, said) => {
    await using server = await startFront({
      secure: true,
      limits: { firstBytesMs: 100, tlsHandshakeMs: 100 },
    });
    using peer = await RawPeer.to(server.port);
    peer.say(said);
    await peer.rest();
  });

  test('silence after a TLS handshake: a deadline', async () => {
    await using server = await startFront({ secure: true, limits: { firstBytesMs: 100 } });
    using peer = new RawPeer(await secureTo(server.port));
    await peer.rest();
  });

  test('idle HTTPS: a deadline', async () => {
    await using server = await startFront({ secure: true, limits: { http: { idleMs: 100 } } });
    using peer = new RawPeer(await secureTo(server.port));
    peer.say(GET.replace('Connection: close\r\n', ''));
    expect(await peer.rest()).toContain('nobody');
    while (server.front.connections().open > 0) await Bun.sleep(5);
  });

  test('resets at every stage leave nothing behind', async () => {
    await using server = await startFront({ secure: true });
    const { alice } = await certificates();
    for (const said of ['', 'C', 'CONNECT /_go_TLS_SRPC_/ HTTP/1.0\n\n', '\x16\x03', 'GET / HT', GET]) {
      const peer = await RawPeer.to(server.port);
      if (said) peer.say(said);
      await Bun.sleep(5);
      peer.socket.resetAndDestroy();
    }
    const secure = await secureTo(server.port, pair(alice));
    secure.write('CONNECT /_go_TLS_SRPC_/ HTTP/1.0\n\nFake.Echo\n');
    await Bun.sleep(5);
    secure.destroy();
    while (server.front.connections().open > 0) await Bun.sleep(5);
    const { srpc, http, fresh } = server.front.connections();
    expect({ srpc, http, fresh }).toEqual({ srpc: 0, http: 0, fresh: 0 });
  });
});

describe('closing', () => {
  test('ends what is idle at once', async () => {
    const server = await startFront({ secure: true });
    const { alice } = await certificates();
    const idle = await RawPeer.to(server.port);
    const http = await RawPeer.to(server.port);
    http.say(GET.replace('Connection: close\r\n', ''));
    await http.hear((text) => text.includes('nobody'));
    const secure = new RawPeer(await secureTo(server.port, pair(alice)));
    secure.say('CONNECT /_go_TLS_SRPC_/ HTTP/1.0\n\n');
    await secure.hear(CONNECTED.length);
    const started = performance.now();
    await server.front.close(60_000);
    expect(performance.now() - started).toBeLessThan(10_000);
    await Promise.all([idle, http, secure].map((peer) => peer.rest()));
  });

  test('lets calls finish, but not for ever', async () => {
    const gate = Promise.withResolvers<Response>();
    const server = await startFront({ onHttp: () => gate.promise });
    const peer = await RawPeer.to(server.port);
    peer.say(GET);
    while (server.front.connections().http === 0) await Bun.sleep(5);
    const closed = server.front.close(60_000);
    gate.resolve(new Response('finished'));
    expect(await peer.rest()).toEndWith('finished');
    await closed;
    const stuck = await startFront({ onHttp: () => new Promise<Response>(() => undefined) });
    const other = await RawPeer.to(stuck.port);
    other.say(GET);
    while (stuck.front.connections().http === 0) await Bun.sleep(5);
    await stuck.front.close(50);
  });
});
