/** Server certificate, key and CA are replaced while clients call: no call fails, new connections use the new ones. */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { connectSrpc } from '../src/srpc/client.ts';
import { CheckImageRequest, CheckImageResponse } from '../src/wire/messages/imageserver.ts';
import { administer, askHttps, type Pair, places, readPair, startInstalled } from './access-lab.ts';
import type { TestServer } from './server.ts';

const scratch = mkdtempSync(join(tmpdir(), 'access-rotation-'));
const root = join(scratch, 'root');
const next = join(scratch, 'next');
const { ca, cert, key } = places(root);
const read = (path: string) => readFileSync(path, 'utf8');
/** As administrators replace files: written beside, renamed into place. */
function put(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
/** As others do it: emptied, then written in two pieces. Resolves when all is there. */
async function overwrite(path: string, text: string): Promise<void> {
  const file = openSync(path, 'w');
  const half = Math.floor(text.length / 2);
  writeSync(file, text.slice(0, half));
  // Long enough for the half to be seen.
  await Bun.sleep(400);
  writeSync(file, text.slice(half));
  closeSync(file);
}
let server: TestServer;
let alice: Pair;
let bob: Pair;
let anchors = '';

beforeAll(async () => {
  for (const [place, user] of [
    [root, 'alice'],
    [next, 'bob'],
  ] as const) {
    await administer(place, 'init');
    await administer(place, 'certificate', `-user=${user}`, `-output=${join(scratch, user)}`);
  }
  alice = readPair(join(scratch, 'alice'), 'alice');
  bob = readPair(join(scratch, 'bob'), 'bob');
  anchors = read(ca) + read(places(next).ca);
  server = await startInstalled(root);
}, 60_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
});

const dial = (pair: Pair) =>
  connectSrpc({ host: '127.0.0.1', port: server.port, tls: { pairs: [pair], serverCa: anchors } });

/** Serial number of the certificate that a new connection is shown. */
function serialShown(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: server.port, ca: anchors }, () => {
      resolve(socket.getPeerCertificate().serialNumber.toLowerCase());
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

const reloads = () => server.stderr().match(/Certificates reloaded/g)?.length ?? 0;
/** Does something to the files and waits until the server has read them. */
async function reloading(change: () => void | Promise<void>): Promise<void> {
  const before = reloads();
  await change();
  const end = Date.now() + 20_000;
  while (reloads() === before) {
    if (Date.now() > end) throw new Error(`not reloaded:\n${server.stderr()}`);
    await Bun.sleep(10);
  }
}

test('rotation under load', async () => {
  let stop = false;
  let calls = 0;
  let connections = 0;
  const ask = async (client: Awaited<ReturnType<typeof dial>>) => {
    await client.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, { ImageName: 'x' });
    calls++;
  };
  /** One connection for everything. */
  const steady = async () => {
    const client = await dial(alice);
    while (!stop) await ask(client);
    client.close();
  };
  /** A new one each time. */
  const restless = async () => {
    while (!stop) {
      const client = await dial(alice);
      connections++;
      await ask(client);
      client.close();
    }
  };
  const overHttps = async () => {
    while (!stop) {
      const { status } = await askHttps(server.port, '/images', { ...alice, ca: anchors });
      connections++;
      expect(status).toBe(200);
    }
  };
  const load = [steady(), steady(), steady(), restless(), restless(), overHttps()];
  const watched = Promise.all(load);
  // A failure must not wait for the end of the test.
  watched.catch(() => undefined);
  const seen = new Set([await serialShown()]);

  // A new certificate with a new key; the pair does not fit while only one of them is there.
  const replica = join(scratch, 'replica');
  await administer(root, 'certificate', '-server', '-user=other', `-output=${replica}`);
  await reloading(() => {
    put(cert, read(join(replica, 'other.cert')));
    setTimeout(() => put(key, read(join(replica, 'other.key'))), 600);
  });
  expect(server.stderr()).toContain('private key does not match public key');
  seen.add(await serialShown());
  expect(seen.size).toBe(2);

  // Another one, written in place, the key first.
  await administer(root, 'certificate', '-server', '-user=third', `-output=${replica}`);
  await reloading(async () => {
    await overwrite(key, read(join(replica, 'third.key')));
    await overwrite(cert, read(join(replica, 'third.cert')));
  });
  expect(server.stderr()).toMatch(/Certificates not reloaded.*(PEM|key)/);
  seen.add(await serialShown());
  expect(seen.size).toBe(3);

  // A second CA beside the first.
  const refused = await dial(bob).catch((error) => error.code);
  expect(refused).toBe('UNAUTHENTICATED');
  await reloading(() => put(ca, anchors));
  const ofBob = await dial(bob);
  await ask(ofBob);

  // The server's certificate from the second CA, read on HUP.
  await reloading(() => {
    put(cert, read(places(next).cert));
    put(key, read(places(next).key));
    process.kill(server.pid, 'SIGHUP');
  });
  seen.add(await serialShown());
  expect(seen.size).toBe(4);

  const atTheEnd = calls;
  await Bun.sleep(200);
  stop = true;
  await watched;
  expect(calls).toBeGreaterThan(atTheEnd);
  expect(connections).toBeGreaterThan(20);

  // The first CA goes: its clients are refused, connections made before live on.
  const ofAlice = await dial(alice);
  await reloading(() => put(ca, read(places(next).ca)));
  expect(await dial(alice).catch((error) => error.code)).toBe('UNAUTHENTICATED');
  await ask(ofAlice);
  await ask(ofBob);
  ofAlice.close();
  ofBob.close();
  console.log(`rotation: ${calls} calls, ${connections} new connections, none failed`);
}, 90_000);
