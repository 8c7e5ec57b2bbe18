import { describe, expect, test } from 'bun:test';
import { createServer } from 'node:net';
import { certificates, startFront } from '../front/front-fixture.ts';
import { CheckImageRequest, CheckImageResponse } from '../wire/messages/imageserver.ts';
import { type ConnectOptions, connectSrpc, RemoteError } from './client.ts';
import { Events, fakeMethods } from './fixture.ts';

const where = { host: '127.0.0.1' };
const check = (client: Awaited<ReturnType<typeof connectSrpc>>, name = 'yes') =>
  client.call('Fake.CheckImage', CheckImageRequest, CheckImageResponse, { ImageName: name });
const pair = ({ cert, key }: { cert: string; key: string }) => ({ cert, key });

async function failure(options: ConnectOptions): Promise<[string, string]> {
  try {
    (await connectSrpc(options)).close();
    return ['', ''];
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return [code, message.replace(/:\d+:/, ':PORT:')];
  }
}

/** A port that answers every connection with these bytes and closes. */
async function answering(text: string) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(text));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { port, [Symbol.dispose]: () => server.close() };
}

describe('calls', () => {
  test('one after the other, errors in between', async () => {
    await using server = await startFront();
    const client = await connectSrpc({ ...where, port: server.port });
    expect(await check(client)).toEqual({ ImageExists: true });
    const error = await check(client, 'error').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RemoteError);
    expect((error as Error).message).toBe('two lines');
    await client.ping();
    const results = await Promise.all([check(client, 'no'), check(client), check(client, 'no')]);
    expect(results.map(({ ImageExists }) => ImageExists)).toEqual([false, true, false]);
    const unknown = client.call('Fake.Nope', CheckImageRequest, CheckImageResponse, { ImageName: '' });
    await expect(unknown).rejects.toMatchObject({
      code: 'METHOD_NOT_FOUND',
      message: 'Fake: unknown method: Nope',
    });
    expect(client.closed).toBe(false);
    client.close();
    await expect(check(client)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('channels, waiting for each other', async () => {
    await using server = await startFront();
    const client = await connectSrpc({ ...where, port: server.port });
    const channel = await client.open('Fake.Echo');
    const after = check(client);
    const data = Buffer.alloc(300_000, 'x');
    channel.send(CheckImageRequest, { ImageName: String(data.length) });
    const sent = channel.write(data);
    expect(await channel.receive(CheckImageRequest)).toEqual({ ImageName: '300000' });
    let length = 0;
    for await (const chunk of channel.bytes(data.length)) length += chunk.length;
    await sent;
    expect(length).toBe(data.length);
    channel.send(CheckImageRequest, { ImageName: '' });
    await channel.flush();
    channel.end();
    expect(await after).toEqual({ ImageExists: true });
    const lines = await client.open('Fake.Lines');
    expect([await lines.readLine(), await lines.readLine(), await lines.readLine()]).toEqual([
      'one',
      'two',
      '',
    ]);
    lines.end();
    client.close();
  });

  test('live events until the client goes', async () => {
    const events = new Events();
    await using server = await startFront({ methods: fakeMethods(events) });
    const client = await connectSrpc({ ...where, port: server.port });
    const channel = await client.open('Fake.Events');
    for (const name of ['a', 'b']) {
      events.send(name);
      expect(await channel.receive(CheckImageRequest)).toEqual({ ImageName: name });
    }
    client.close();
    const next = async () => channel.receive(CheckImageRequest);
    expect(await next().catch(() => undefined)).toBeUndefined();
    while (events.listeners > 0) await Bun.sleep(1);
  });

  test('time limit and abort of one call', async () => {
    await using server = await startFront({ methods: fakeMethods(new Events()) });
    const client = await connectSrpc({ ...where, port: server.port });
    const held = await client.open('Fake.Events');
    // The connection is busy: a call waits until it is closed.
    const waiting = check(client);
    client.close();
    await expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    held.end();
    const other = await connectSrpc({ ...where, port: server.port });
    const aborted = other.call(
      'Fake.CheckLater',
      CheckImageRequest,
      CheckImageResponse,
      { ImageName: '' },
      { signal: AbortSignal.abort() },
    );
    await expect(aborted).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(other.closed).toBe(true);
  });
});

describe('dialling', () => {
  test.each([
    ['404', 'HTTP/1.0 404 Not Found\r\n\r\n', 'UNAVAILABLE', 'no SRPC endpoint'],
    ['405', 'HTTP/1.0 405 Method Not Allowed\r\n\r\n', 'UNAUTHENTICATED', 'missing certificate'],
    ['401', 'HTTP/1.1 401 Unauthorized\r\n\r\n', 'UNAUTHENTICATED', 'bad certificate'],
    ['plain 200', 'HTTP/1.0 200 OK\r\n\r\n', 'UNAVAILABLE', 'unexpected HTTP response: 200 OK'],
    ['not HTTP', '\x15\x03\x01', 'UNAVAILABLE', 'malformed HTTP response'],
    ['nothing', '', 'UNAVAILABLE', 'unexpected EOF'],
    ['half an answer', 'HTTP/1.0 20', 'UNAVAILABLE', 'unexpected EOF'],
  ])('%s', async (_name, answer, code, message) => {
    using server = await answering(answer);
    expect(await failure({ ...where, port: server.port })).toEqual([code, `127.0.0.1:PORT: ${message}`]);
  });

  test('answers with CRLF and headers are accepted', async () => {
    using server = await answering('HTTP/1.1 200 Connected to Go SRPC\r\nX: y\r\n\r\n');
    (await connectSrpc({ ...where, port: server.port })).close();
  });

  test('nobody listens, unknown host, remark in the host', async () => {
    expect(await failure({ ...where, port: 1 })).toEqual([
      'UNAVAILABLE',
      '127.0.0.1:PORT: connection refused',
    ]);
    expect(await failure({ host: 'no-such-host.invalid', port: 1 })).toEqual([
      'UNAVAILABLE',
      'no-such-host.invalid:PORT: dial tcp: lookup no-such-host.invalid: no such host',
    ]);
    await using server = await startFront();
    (await connectSrpc({ host: '127.0.0.1*remark', port: server.port })).close();
  });

  test('IPv6 literals', async () => {
    const probe = await startFront({ host: '::1' }).catch(() => undefined);
    // A machine without IPv6.
    if (!probe) return;
    await using server = probe;
    for (const host of ['::1', '[::1]']) (await connectSrpc({ host, port: server.port })).close();
  });

  test('a silent server: time limit, abort', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    expect(await failure({ ...where, port, timeoutMs: 50 })).toEqual([
      'TIMEOUT',
      '127.0.0.1:PORT: connection timed out',
    ]);
    expect(await failure({ ...where, port, signal: AbortSignal.timeout(50) })).toEqual([
      'CANCELLED',
      '127.0.0.1:PORT: cancelled',
    ]);
    server.close();
  });
});

describe('TLS', () => {
  test('certificates that are accepted', async () => {
    await using server = await startFront({ secure: true });
    const { ca, alice, bob, mallory, anyUsage } = await certificates();
    for (const tls of [
      { pairs: [pair(alice)] },
      { pairs: [pair(anyUsage)] },
      { pairs: [pair(bob)] },
      { pairs: [pair(mallory), pair(alice)] },
      { pairs: [pair(alice)], serverCa: ca.cert },
    ]) {
      const client = await connectSrpc({ ...where, port: server.port, tls });
      expect(await check(client)).toEqual({ ImageExists: true });
      client.close();
    }
  });

  test('and those that are not', async () => {
    await using server = await startFront({ secure: true });
    const { alice, strangeCa, mallory, bob } = await certificates();
    const { port } = server;
    expect(await failure({ ...where, port })).toEqual([
      'UNAUTHENTICATED',
      '127.0.0.1:PORT: missing certificate',
    ]);
    expect((await failure({ ...where, port, tls: { pairs: [pair(mallory)] } }))[0]).toBe('UNAUTHENTICATED');
    const [code, message] = await failure({
      ...where,
      port,
      tls: { pairs: [pair(alice)], serverCa: strangeCa.cert },
    });
    expect(code).toBe('UNAVAILABLE');
    expect(message).toContain('certificate');
    const client = await connectSrpc({ ...where, port, tls: { pairs: [pair(bob)] } });
    const denied = client.call('Fake.Denied', CheckImageRequest, CheckImageResponse, { ImageName: '' });
    await expect(denied).rejects.toMatchObject({ code: 'ACCESS_DENIED', message: 'access to method denied' });
    client.close();
  });

  test('a server without TLS is only spoken to plainly if that was allowed', async () => {
    await using server = await startFront();
    const { alice } = await certificates();
    const tls = { pairs: [pair(alice)] };
    expect((await failure({ ...where, port: server.port, tls }))[1]).toContain('not allowed');
    const client = await connectSrpc({
      ...where,
      port: server.port,
      tls: { ...tls, allowPlainFallback: true },
    });
    expect(await check(client)).toEqual({ ImageExists: true });
    client.close();
  });
});
