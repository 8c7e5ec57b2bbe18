/** A peer that dawdles or floods harms only itself: others are served, everything is given back. */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import { CheckImageRequest, CheckImageResponse } from '../src/wire/messages/imageserver.ts';
import { administer, type Pair, readPair, startInstalled } from './access-lab.ts';
import { ATTACKS } from './hostile-peers.ts';
import type { TestServer } from './server.ts';

const scratch = mkdtempSync(join(tmpdir(), 'hostile-test-'));
const TIMEOUT_MS = 1000;
let server: TestServer;
let pair: Pair;
let steady: SrpcClient;
const dial = () => connectSrpc({ host: '127.0.0.1', port: server.port, tls: { pairs: [pair] } });
const descriptors = () => readdirSync(`/proc/${server.pid}/fd`).length;
const ask = (client: SrpcClient) =>
  client.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, { ImageName: 'x' });

beforeAll(async () => {
  const root = join(scratch, 'root');
  const users = join(scratch, 'users');
  await administer(root, 'init');
  await administer(root, 'certificate', '-user=alice', `-output=${users}`);
  pair = readPair(users, 'alice');
  server = await startInstalled(
    root,
    `-firstBytesTimeout=${TIMEOUT_MS}ms`,
    `-tlsHandshakeTimeout=${TIMEOUT_MS}ms`,
    `-methodLineTimeout=${TIMEOUT_MS}ms`,
  );
  steady = await dial();
  await ask(steady);
}, 60_000);
afterAll(async () => {
  steady.close();
  await server[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
});

test.each(Object.entries(ATTACKS))(
  '%s',
  async (_name, attack) => {
    const before = descriptors();
    let over = false;
    const attacking = attack({
      port: server.port,
      count: 150,
      pair,
      until: Date.now() + 3 * TIMEOUT_MS,
    }).then(() => {
      over = true;
    });
    while (!over) {
      await ask(steady);
      const another = await dial();
      await ask(another);
      another.close();
    }
    await attacking;
    // What was closed by the attackers last is noticed in a moment.
    const end = Date.now() + 10_000;
    while (descriptors() > before && Date.now() < end) await Bun.sleep(20);
    expect(descriptors()).toBeLessThanOrEqual(before);
  },
  60_000,
);

test('deadlines end what dawdles, not the attackers', async () => {
  const before = descriptors();
  const attack = ATTACKS['slow handshakes, tunnel'];
  const attacking = attack?.({ port: server.port, count: 100, pair, until: Date.now() + 6 * TIMEOUT_MS });
  const end = Date.now() + 5 * TIMEOUT_MS;
  while (descriptors() < before + 100 && Date.now() < end) await Bun.sleep(5);
  expect(descriptors()).toBeGreaterThanOrEqual(before + 50);
  while (descriptors() > before && Date.now() < end) await Bun.sleep(20);
  expect(descriptors()).toBeLessThanOrEqual(before);
  await attacking;
}, 60_000);
