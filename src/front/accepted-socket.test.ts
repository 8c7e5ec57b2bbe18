/** Connections on the runtime's sockets: what comes, what goes, and all the ways in which they end. */
import { afterEach, describe, expect, test } from 'bun:test';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { TlsServer } from '../access/tls.ts';
import type { PeerSocket } from '../srpc/peer-socket.ts';
import { AcceptedSocket, type AcceptingPort, acceptOn } from './accepted-socket.ts';
import { certificates, makeTlsServer } from './front-fixture.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

interface Pair {
  readonly near: AcceptedSocket;
  readonly far: Socket;
}

function listen(onSocket: (socket: AcceptedSocket) => void): AcceptingPort {
  const port = acceptOn('127.0.0.1', 0, onSocket);
  ends.push(() => port.close());
  return port;
}

function dial(port: number): Socket {
  const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  far.on('error', () => undefined);
  ends.push(() => far.destroy());
  return far;
}

async function pair(): Promise<Pair> {
  const accepted = Promise.withResolvers<AcceptedSocket>();
  const far = dial(listen(accepted.resolve).port);
  await once(far, 'connect');
  return { near: await accepted.promise, far };
}

let tls: TlsServer | undefined;
async function securePair(): Promise<{ near: AcceptedSocket; far: TLSSocket }> {
  tls ??= await makeTlsServer(() => undefined);
  const { ca, alice } = await certificates();
  const parameters = tls.parameters();
  const accepted = Promise.withResolvers<AcceptedSocket>();
  const port = listen((socket) => {
    socket.once('data', (first: Uint8Array) => {
      socket.startTls(parameters, first, 5000).then(() => accepted.resolve(socket), accepted.reject);
    });
  });
  const far = tlsConnect({
    port: port.port,
    host: '127.0.0.1',
    ca: ca.cert,
    cert: alice.cert,
    key: alice.key,
    servername: 'localhost',
    ...{ allowHalfOpen: true },
  });
  far.on('error', () => undefined);
  ends.push(() => far.destroy());
  await once(far, 'secureConnect');
  return { near: await accepted.promise, far };
}

/** Everything that comes until the end. */
async function rest(socket: PeerSocket): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  socket.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  await new Promise<void>((resolve) => socket.on('end', resolve));
  return Buffer.concat(chunks);
}

const PATTERN = Buffer.alloc(20_000_000, 'imageserver ');

describe.each([
  ['plain', pair],
  ['TLS', securePair],
] as const)('%s', (name, make) => {
  test('more than the system takes waits, in order, and is announced when it has gone', async () => {
    const { near, far } = await make();
    far.pause();
    const taken: string[] = [];
    expect(near.write(PATTERN, () => taken.push('first'))).toBe(false);
    expect(near.write(Buffer.from('the end'), () => taken.push('second'))).toBe(false);
    expect(near.writableNeedDrain).toBe(true);
    expect(near.writableLength).toBeGreaterThan(0);
    const drained = once(near, 'drain').then(() => taken.push('drain'));
    near.end();
    far.resume();
    const heard = await rest(far);
    await drained;
    expect(taken).toEqual(['first', 'second', 'drain']);
    expect(heard.length).toBe(PATTERN.length + 7);
    expect(heard.subarray(0, PATTERN.length).equals(PATTERN)).toBe(true);
    expect(heard.subarray(PATTERN.length).toString()).toBe('the end');
    expect(near.writableLength).toBe(0);
  });

  test('what comes while it is paused is told when it goes on, and holds up the peer before that', async () => {
    const { near, far } = await make();
    near.pause();
    let told = 0;
    near.on('data', (chunk: Uint8Array) => {
      told += chunk.length;
    });
    let taken = false;
    far.write(PATTERN, () => {
      taken = true;
    });
    far.end();
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(told).toBe(0);
    expect(taken).toBe(false);
    near.resume();
    await once(near, 'end');
    expect(told).toBe(PATTERN.length);
    // Those of the handshake count, too.
    expect(near.bytesRead).toBeGreaterThanOrEqual(told);
  });

  test('the peer ends its side and is still answered; then it is over', async () => {
    const { near, far } = await make();
    far.end('question');
    expect((await rest(near)).toString()).toBe('question');
    expect(near.readableEnded).toBe(true);
    expect(near.destroyed).toBe(false);
    near.write(Buffer.from('answer'));
    const closed = once(near, 'close');
    near.end();
    expect((await rest(far)).toString()).toBe('answer');
    await closed;
    expect(near.errored).toBeNull();
  });

  test('our side ends and the peer may go on', async () => {
    const { near, far } = await make();
    near.write(Buffer.from('bye'));
    near.end();
    expect(near.write(Buffer.from('too late'))).toBe(false);
    expect((await rest(far)).toString()).toBe('bye');
    const closed = once(near, 'close');
    far.end('more');
    expect((await rest(near)).toString()).toBe('more');
    await closed;
    expect(near.destroyed).toBe(true);
  });

  test('destroyed: nothing more goes out or comes in, and why is told once', async () => {
    const { near, far } = await make();
    const told: unknown[] = [];
    near.on('error', (error: Error) => told.push(error.message));
    near.on('close', () => told.push('close'));
    near.on('data', () => told.push('data'));
    near.destroy(new Error('enough'));
    near.destroy(new Error('again'));
    expect(near.destroyed).toBe(true);
    expect(near.errored?.message).toBe('enough');
    expect(near.write(Buffer.from('x'))).toBe(false);
    expect(told).toEqual([]);
    await rest(far);
    expect(told).toEqual(['enough', 'close']);
  });

  test('a failing listener is reported, and is no failure of the connection', async () => {
    const { near, far } = await make();
    const reported = Promise.withResolvers<unknown>();
    const report = globalThis.reportError;
    globalThis.reportError = (error) => reported.resolve(error);
    try {
      near.once('data', () => {
        throw new Error('a mistake of ours');
      });
      far.write('one');
      expect(await reported.promise).toMatchObject({ message: 'a mistake of ours' });
      const next = once(near, 'data');
      far.write('two');
      expect(String((await next)[0])).toBe('two');
      expect(near.destroyed).toBe(false);
    } finally {
      globalThis.reportError = report;
    }
  });

  test('the descriptor is shown where bytes may bypass TLS only', async () => {
    const { near } = await make();
    if (name === 'plain' && process.platform === 'linux') expect(near.descriptor).toBeGreaterThan(2);
    else expect(near.descriptor).toBeUndefined();
    near.destroy();
    expect(near.descriptor).toBeUndefined();
  });
});

test('a peer that resets', async () => {
  const { near, far } = await pair();
  const closed = new Promise<void>((resolve) => near.on('close', resolve));
  const reasons: string[] = [];
  near.on('error', (error: Error) => reasons.push(error.message));
  far.resetAndDestroy();
  await closed;
  expect(reasons).toHaveLength(1);
  expect(reasons[0]).toContain('reset');
  expect(near.destroyed).toBe(true);
});

test('peers that have gone before they are accepted are not told of', async () => {
  const addresses: string[] = [];
  const last = Promise.withResolvers<void>();
  const { port } = listen((socket) => {
    addresses.push(socket.remoteAddress);
    socket.on('data', () => last.resolve());
  });
  // This process accepts nothing until the other has ended.
  const script = `
    const { connect } = require('node:net');
    let left = 20;
    for (let i = 0; i < 20; i++) {
      const socket = connect(${port}, '127.0.0.1', () => socket.resetAndDestroy());
      socket.on('close', () => --left || process.exit(0));
    }`;
  expect(Bun.spawnSync([process.execPath, '-e', script], { timeout: 10_000 }).exitCode).toBe(0);
  dial(port).write('somebody who stays');
  await last.promise;
  expect(addresses).toEqual(['127.0.0.1']);
});

test('a peer that says all and closes at once is heard, also by somebody who paused', async () => {
  const { near, far } = await pair();
  near.on('data', () => near.pause());
  far.write('first');
  await once(near, 'data');
  const later = rest(near);
  far.end('second');
  near.resume();
  near.removeAllListeners('data');
  const heard: string[] = [];
  near.on('data', (chunk: Buffer) => heard.push(String(chunk)));
  await later;
  expect(heard.join('')).toBe('second');
});

test('what came between the first bytes and the handshake belongs to it', async () => {
  const given: unknown[] = [];
  const handle = {
    pause: () => undefined,
    resume: () => undefined,
    close: () => undefined,
    upgradeTLS: ({ initialData }: { initialData?: Buffer }) => given.push(String(initialData)),
    data: undefined as unknown,
  };
  const socket = new AcceptedSocket(handle as never, '');
  handle.data = socket;
  socket.on('data', (chunk) => given.push(`told: ${chunk}`));
  socket.pause();
  for (const chunk of ['b', 'c']) AcceptedSocket.handlers(false).data?.(handle as never, Buffer.from(chunk));
  const shaking = socket.startTls({} as never, Buffer.from('a'), 1000);
  socket.destroy();
  await expect(shaking).rejects.toThrow('closed the connection during the TLS handshake');
  expect(given).toEqual(['abc']);
});

test('TLS that cannot be had closes the connection', async () => {
  const { near, far } = await pair();
  near.on('error', () => undefined);
  const parameters = { secureContext: 'none', requestCert: true, rejectUnauthorized: false } as never;
  await expect(near.startTls(parameters, new Uint8Array(0), 5000)).rejects.toThrow();
  expect(near.destroyed).toBe(true);
  await rest(far);
});

test('TLS on a connection that has gone', async () => {
  const { near } = await pair();
  near.destroy();
  tls ??= await makeTlsServer(() => undefined);
  await expect(near.startTls(tls.parameters(), new Uint8Array(0), 100)).rejects.toThrow('closed');
});

test('ports that cannot be had', async () => {
  const { port } = listen(() => undefined);
  expect(() => acceptOn('127.0.0.1', port, () => undefined)).toThrow(
    expect.objectContaining({ code: 'EADDRINUSE', syscall: 'listen' }),
  );
});

test('without a host all addresses are served, of both families where there are two', async () => {
  const port = acceptOn('', 0, (socket) => {
    socket.write(Buffer.from(socket.remoteAddress));
    socket.end();
  });
  ends.push(() => port.close());
  expect((await rest(dial(port.port))).toString()).toMatch(/127\.0\.0\.1$/);
});
