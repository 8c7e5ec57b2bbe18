import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INSECURE } from '../access/identity.ts';
import { Deadlines } from '../srpc/deadlines.ts';
import { RawPeer } from '../srpc/fixture.ts';
import { Stopping } from '../srpc/stopping.ts';
import { type AcceptedSocket, acceptOn } from './accepted-socket.ts';
import { fileResponse } from './file-response.ts';
import { DEFAULT_HTTP_LIMITS, type HttpHandler, type HttpLimits, serveHttp } from './http-connection.ts';

const scratch = mkdtempSync(join(tmpdir(), 'http-test-'));
const bigFile = join(scratch, 'big');
const big = Buffer.alloc(3_000_000, 'abcdefghijklmnopqrstuvwxyz');
writeFileSync(bigFile, big);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly log: string[];
  readonly sockets: AcceptedSocket[];
  readonly stopping: Stopping;
}

function serve(handler: HttpHandler, limits: Partial<HttpLimits> = {}): Server {
  const log: string[] = [];
  const sockets: AcceptedSocket[] = [];
  const stopping = new Stopping();
  const deadlines = new Deadlines();
  const accepting = acceptOn('127.0.0.1', 0, (socket) => {
    sockets.push(socket);
    serveHttp(socket, {
      handler,
      info: { identity: INSECURE, peer: '127.0.0.1', secure: false },
      limits: { ...DEFAULT_HTTP_LIMITS, ...limits },
      deadlines,
      log: (line) => log.push(line),
      logDropped: (line) => log.push(line),
      stopping,
    });
  });
  return {
    port: accepting.port,
    url: `http://127.0.0.1:${accepting.port}`,
    log,
    sockets,
    stopping,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      accepting.close();
      deadlines.close();
    },
  };
}

async function converse(port: number, said: string, bytewise = false): Promise<string> {
  using peer = await RawPeer.to(port);
  if (bytewise)
    for (const character of said) {
      peer.say(character);
      await new Promise((resolve) => setImmediate(resolve));
    }
  else peer.say(said);
  return (await peer.rest()).replace(/date: [^\r]*\r\n/gi, '');
}

/** Says what it got. */
const mirror: HttpHandler = async (request) => {
  const { pathname, search } = new URL(request.url);
  return new Response(`${request.method} ${pathname}${search} ${await request.text()}`);
};
const GET = 'GET /a HTTP/1.1\r\nHost: x\r\n';
const LAST = 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const ok = (body: string, more = '') =>
  `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n${more}\r\n${body}`;
const last = ok('GET /last ', 'connection: close\r\n');

describe('requests', () => {
  const post = (headers: string, body: string) => `POST /p HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`;
  for (const bytewise of [false, true])
    test.each([
      ['one', LAST, last],
      ['pipelined', `${GET}\r\n${GET}\r\n${LAST}`, ok('GET /a ').repeat(2) + last],
      ['empty lines before', `\r\n${GET}\r\n\r\n${LAST}`, ok('GET /a ') + last],
      ['body with length', post('Content-Length: 5\r\n', `hello${LAST}`), ok('POST /p hello') + last],
      [
        'body in chunks',
        post('Transfer-Encoding: chunked\r\n', `3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: x\r\n\r\n${LAST}`),
        ok('POST /p hello') + last,
      ],
      ['no body', post('Content-Length: 0\r\n', LAST), ok('POST /p ') + last],
      ['1.0', 'GET /a HTTP/1.0\r\n\r\n', ok('GET /a ', 'connection: close\r\n')],
    ])(`%s${bytewise ? ', byte by byte' : ''}`, async (_name, said, heard) => {
      await using server = serve(mirror);
      expect(await converse(server.port, said, bytewise)).toBe(heard);
    });

  test.each([
    ['bare newlines', 'GET / HTTP/1.1\nHost: x\n\n'],
    ['one bare newline', 'GET / HTTP/1.1\r\nHost: x\n\r\n'],
    ['bad chunk size', post('Transfer-Encoding: chunked\r\n', 'x\r\n')],
    ['negative chunk size', post('Transfer-Encoding: chunked\r\n', '-1\r\n')],
    ['bare newline in chunks', post('Transfer-Encoding: chunked\r\n', '1\nx\r\n0\r\n\r\n')],
    ['chunk without end', post('Transfer-Encoding: chunked\r\n', '1\r\nxy\r\n0\r\n\r\n')],
    ['body of a GET', `${GET}Content-Length: 1\r\n\r\nx`],
  ])('refused: %s', async (_name, said) => {
    await using server = serve(async (request) => {
      try {
        return await mirror(request, {} as never);
      } catch {
        return new Response('broken', { status: 400 });
      }
    });
    expect(await converse(server.port, `${said}${LAST}`)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(await converse(server.port, `${said}${LAST}`)).not.toContain('/last');
  });

  test('a head that never ends is refused', async () => {
    await using server = serve(mirror, { headBytes: 1000 });
    expect(await converse(server.port, `GET / HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(2000)}`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
    expect(await converse(server.port, `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(500)}`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });

  test('a body is only asked for when somebody reads it', async () => {
    await using server = serve(async (request) =>
      new URL(request.url).pathname === '/no'
        ? new Response('no', { status: 403 })
        : mirror(request, {} as never),
    );
    using peer = await RawPeer.to(server.port);
    peer.say('POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
    expect(await peer.hear(25)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    peer.say('hello');
    expect(await peer.hear((text) => text.endsWith('hello'))).toContain('POST /p hello');
    peer.say('POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
    expect(await peer.rest()).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*connection: close\r\n/);
  });

  test('what a handler leaves of a short body is skipped, a long one ends the connection', async () => {
    await using server = serve(() => new Response('ignored'));
    const short = await converse(server.port, `${post('Content-Length: 5\r\n', 'hello')}${LAST}`);
    expect(short.match(/200 OK/g)?.length).toBe(2);
    const long = await converse(server.port, `${post('Content-Length: 5000000\r\n', 'hello')}`);
    expect(long).toContain('connection: close');
  });

  test('a long body comes in pieces, no faster than it is read', async () => {
    const gate = Promise.withResolvers<void>();
    const done = Promise.withResolvers<number>();
    await using server = serve(async (request) => {
      await gate.promise;
      let length = 0;
      for await (const piece of request.body ?? []) length += piece.length;
      done.resolve(length);
      return new Response('done');
    });
    using peer = await RawPeer.to(server.port);
    const size = 64 * 1024 * 1024;
    peer.say(post(`Content-Length: ${size}\r\n`, ''));
    let written = 0;
    for (let at = 0; at < size; at += 1024 * 1024)
      peer.socket.write(Buffer.alloc(1024 * 1024), () => {
        written += 1024 * 1024;
      });
    for (let before = -1; before !== written; ) {
      before = written;
      await Bun.sleep(100);
    }
    // What both kernels hold, and what our reader does.
    expect(written).toBeLessThan(48 * 1024 * 1024);
    expect(server.sockets[0]?.bytesRead).toBeLessThan(2 * 1024 * 1024);
    gate.resolve();
    expect(await done.promise).toBe(size);
  });
});

describe('answers', () => {
  const answer = async (response: () => Response, request = LAST) => {
    await using server = serve(response);
    return await converse(server.port, request);
  };
  const close = 'connection: close\r\n';
  async function* slowly(...parts: string[]) {
    for (const part of parts) {
      await new Promise((resolve) => setImmediate(resolve));
      yield part;
    }
  }
  const streamOf = (...parts: string[]) => new Response(slowly(...parts) as never);

  test.each([
    ['empty', () => new Response(null), `HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${close}\r\n`],
    ['empty text', () => new Response(''), `HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${close}\r\n`],
    ['204', () => new Response(null, { status: 204 }), `HTTP/1.1 204 No Content\r\n${close}\r\n`],
    [
      '304 keeps the length',
      () => new Response(null, { status: 304, headers: { 'content-length': '7' } }),
      `HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n${close}\r\n`,
    ],
    [
      'bytes',
      () => new Response(Uint8Array.of(65, 66)),
      `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n${close}\r\nAB`,
    ],
    [
      'stream in chunks',
      () => streamOf('abc', '', 'defg'),
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n${close}\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n`,
    ],
    [
      'two cookies',
      () => {
        const response = new Response(null);
        response.headers.append('set-cookie', 'a=b');
        response.headers.append('set-cookie', 'c=d');
        return response;
      },
      `HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nset-cookie: c=d\r\ncontent-length: 0\r\n${close}\r\n`,
    ],
  ])('%s', async (_name, response, heard) => {
    expect(await answer(response)).toBe(heard);
  });

  test('a stream to a client of 1.0 ends with the connection', async () => {
    const heard = await answer(
      () => streamOf('abc', 'def'),
      'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    );
    expect(heard).toBe(`HTTP/1.1 200 OK\r\n${close}\r\nabcdef`);
  });

  test('the head of a stream does not wait for its first piece', async () => {
    await using server = serve(() => new Response(new ReadableStream({ start() {} })));
    using peer = await RawPeer.to(server.port);
    peer.say(LAST);
    expect(await peer.hear((text) => text.endsWith('\r\n\r\n'))).toContain('chunked');
  });

  test('HEAD has no body', async () => {
    const heard = await answer(
      () => new Response(null, { headers: { 'content-length': '9' } }),
      LAST.replace('GET', 'HEAD'),
    );
    expect(heard).toBe(`HTTP/1.1 200 OK\r\ncontent-length: 9\r\n${close}\r\n`);
  });

  test('a range of a file, and the connection goes on', async () => {
    const range = { path: bigFile, start: 26, end: 2_000_000 };
    await using server = serve((request) =>
      request.url.endsWith('/last')
        ? mirror(request, {} as never)
        : fileResponse(range, { headers: { 'content-type': 'text/x' } }),
    );
    const heard = await converse(server.port, `${GET}\r\n${LAST}`);
    expect(heard).toBe(
      `HTTP/1.1 200 OK\r\ncontent-type: text/x\r\ncontent-length: 1999974\r\n\r\n${big.subarray(26, 2_000_000).toString('latin1')}${last}`,
    );
  });

  test('a file that is gone', async () => {
    expect(await answer(() => fileResponse({ path: join(scratch, 'none'), start: 0, end: 1 }))).toStartWith(
      'HTTP/1.1 404 ',
    );
  });

  test('a body shorter or longer than announced breaks the connection', async () => {
    const announced = (length: number) =>
      new Response(slowly('abc') as never, { headers: { 'content-length': String(length) } });
    for (const length of [2, 4]) {
      const heard = await answer(() => announced(length), `${GET}\r\n${LAST}`);
      expect(heard).not.toContain('/last');
    }
  });

  test('a failing handler is a 500 that tells nothing', async () => {
    await using server = serve(() => {
      throw new Error('/secret');
    });
    const heard = await converse(server.port, LAST);
    expect(heard).toStartWith('HTTP/1.1 500 ');
    expect(heard).not.toContain('secret');
    expect(server.log.join()).toContain('secret');
  });

  test('no more is produced than the client takes', async () => {
    let produced = 0;
    await using server = serve(
      () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              produced += 65536;
              controller.enqueue(new Uint8Array(65536));
              if (produced >= 256 * 1024 * 1024) controller.close();
            },
          }),
        ),
    );
    using peer = await RawPeer.to(server.port);
    peer.socket.pause();
    peer.say(LAST);
    for (let before = -1; before !== produced; ) {
      before = produced;
      await Bun.sleep(100);
    }
    expect(produced).toBeLessThan(64 * 1024 * 1024);
    expect(server.sockets[0]?.writableLength).toBeLessThan(1024 * 1024);
  });

  test('a client that goes ends the request and its stream', async () => {
    const cancelled = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    await using server = serve((request) => {
      request.signal.addEventListener('abort', () => aborted.resolve());
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue('x'),
          cancel: () => cancelled.resolve(),
        }),
      );
    });
    const peer = await RawPeer.to(server.port);
    peer.say(LAST);
    await peer.hear((text) => text.includes('\r\n\r\n'));
    peer.socket.resetAndDestroy();
    await Promise.all([cancelled.promise, aborted.promise]);
  });

  describe('a client that has closed its side', () => {
    const half = async (server: Server, said = LAST) => {
      const peer = await RawPeer.to(server.port);
      peer.say(said);
      peer.socket.end();
      return peer;
    };

    test('gets its answers', async () => {
      await using server = serve(mirror, { goneMs: 20 });
      using peer = await half(server, `${GET}\r\n${LAST}`);
      expect(await peer.rest()).toContain('GET /last ');
    });

    test('ends what may never end', async () => {
      const cancelled = Promise.withResolvers<void>();
      await using server = serve(
        () =>
          new Response(
            new ReadableStream({
              start: (controller) => controller.enqueue('x'),
              cancel: () => cancelled.resolve(),
            }),
          ),
        { goneMs: 20 },
      );
      using peer = await half(server);
      await cancelled.promise;
      // Not as if it were complete.
      expect(await peer.rest()).toEndWith('1\r\nx\r\n');
    });

    test('is not waited for for ever', async () => {
      await using server = serve(
        ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve(new Response('nothing came')));
          }),
        { goneMs: 20 },
      );
      using peer = await half(server);
      expect(await peer.rest()).toEndWith('nothing came');
    });
  });
});

describe('deadlines', () => {
  test.each([
    ['idle', '', { idleMs: 100 }],
    ['idle after a request', `${GET}\r\n`, { idleMs: 100 }],
  ])('%s', async (_name, said, limits) => {
    await using server = serve(mirror, limits);
    using peer = await RawPeer.to(server.port);
    peer.say(said);
    await peer.rest();
  });

  test.each([
    ['head', 'GET / HT'],
    ['second head', `${GET}\r\nGET / HT`],
    ['body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe'],
    ['chunk', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe'],
    ['line between chunks', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n'],
  ])('a client that falls silent in the middle of a %s is told so', async (name, said) => {
    const handler: HttpHandler = async (request) => {
      try {
        return new Response(await request.text());
      } catch (thrown) {
        const { status, message } = thrown as { status: number; message: string };
        return new Response(message, { status });
      }
    };
    await using server = serve(handler, { headMs: 100, stallMs: 100 });
    using peer = await RawPeer.to(server.port);
    peer.say(said);
    const text = await peer.rest();
    expect(text).toMatch(/HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*connection: close\r\n/);
    expect(text).toContain(
      `the rest of the request ${name.endsWith('head') ? 'head' : 'body'} did not come in time`,
    );
    expect(server.log).toEqual([]);
  });

  test('a client that does not read', async () => {
    await using server = serve(() => fileResponse({ path: bigFile, start: 0, end: big.length }), {
      stallMs: 100,
    });
    using peer = await RawPeer.to(server.port);
    peer.socket.pause();
    for (let index = 0; index < 10; index++) peer.say(`${GET}\r\n`);
    while (server.sockets[0]?.destroyed !== true || server.log.length === 0) await Bun.sleep(20);
    expect(server.log).toEqual([
      'HTTP answer to 127.0.0.1 broken off: the client moved no byte for 0.1 s (-stallTimeout)',
    ]);
  });

  test('a client that does not read a stream: it is not read ahead, and the log has the reason', async () => {
    const piece = new Uint8Array(32 * 1024);
    let pulled = 0;
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      pulled++;
      controller.enqueue(piece);
    };
    const endless = () => new ReadableStream({ pull }, { highWaterMark: 0 });
    await using server = serve(() => new Response(endless()), { stallMs: 300 });
    using peer = await RawPeer.to(server.port);
    peer.socket.pause();
    peer.say(`${GET}\r\n`);
    while (server.log.length === 0) await Bun.sleep(20);
    expect(server.log).toEqual([
      'HTTP answer to 127.0.0.1 broken off: the client moved no byte for 0.3 s (-stallTimeout)',
    ]);
    // What the kernel takes is no more than some MiB.
    expect(pulled * piece.length).toBeLessThan(32 * 1024 * 1024);
  });

  test('a client that takes a file slowly has all the time it needs', async () => {
    const length = 24 * 1024 * 1024;
    const sparse = join(scratch, 'sparse');
    writeFileSync(sparse, '');
    truncateSync(sparse, length);
    await using server = serve(() => fileResponse({ path: sparse, start: 0, end: length }), {
      stallMs: 2_000,
    });
    using peer = await RawPeer.to(server.port);
    const start = performance.now();
    peer.say(LAST);
    let got = 0;
    peer.socket.removeAllListeners('data');
    for await (const chunk of peer.socket as AsyncIterable<Uint8Array>) {
      got += chunk.length;
      // Some 4 MiB a second.
      await Bun.sleep(chunk.length / 4096);
    }
    expect(got).toBeGreaterThan(length);
    // Else this has shown nothing.
    expect(performance.now() - start).toBeGreaterThan(3_000);
  }, 60_000);

  test('a slow handler has all the time it needs', async () => {
    await using server = serve(
      async () => {
        await Bun.sleep(1500);
        return new Response('late');
      },
      { idleMs: 100, headMs: 100, stallMs: 100 },
    );
    expect(await (await fetch(server.url)).text()).toBe('late');
  });

  test('stopping ends idle connections and lets requests under way finish', async () => {
    const gate = Promise.withResolvers<void>();
    await using server = serve(async () => {
      await gate.promise;
      return new Response('finished');
    });
    const idle = await RawPeer.to(server.port);
    const busy = await RawPeer.to(server.port);
    busy.say(`${GET}\r\n`);
    while (server.sockets.length < 2 || server.sockets[1]?.bytesRead === 0) await Bun.sleep(5);
    server.stopping.begin();
    expect(await idle.rest()).toBe('');
    gate.resolve();
    expect(await busy.rest()).toMatch(/connection: close\r\n[\s\S]*finished$/);
  });
});
