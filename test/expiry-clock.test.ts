/**
 * Images expire at their second by the server's clock, also when that is set, or when the server did not run at that
 * second, as on a machine that slept: the executable, its listeners and what it lists.
 */
import { afterEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Operation } from '../src/wire/messages/imageserver.ts';
import { timeFromMillis } from '../src/wire/time.ts';
import { converged, freePort, listing, Node } from './replication-lab.ts';
import { UpdateListener } from './update-listener.ts';

/** The clock is looked at every second; the rest is for a machine that is busy with other things. */
const NOTICED_MS = 2500;
const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;

const nodes: Node[] = [];
const listeners: UpdateListener[] = [];
const scratch: string[] = [];
afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.close();
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
  for (const directory of scratch.splice(0)) rmSync(directory, { recursive: true, force: true });
});

async function start(args: readonly string[] = [], environment: Record<string, string> = {}): Promise<Node> {
  const node = new Node('ours', await freePort(), args);
  nodes.push(node);
  node.program = 'executable';
  node.environment = environment;
  await node.start();
  return node;
}
async function listenTo(node: Node): Promise<UpdateListener> {
  const listener = await UpdateListener.on(node);
  listeners.push(listener);
  await listener.listed();
  return listener;
}
const contents = [Buffer.from('contents')];
const expires = (node: Node, name: string, inMs: number) =>
  node.add(name, contents, timeFromMillis(Date.now() + inMs));
const gone = (listener: UpdateListener, name: string) =>
  listener.after(0, (update) => update.Operation === Operation.DeleteImage && update.Name === name);
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('a server that did not run when an image expired lets it go at once; so does its replica', async () => {
  const master = await start();
  const replica = await start(master.replicaArgs());
  await expires(master, 'soon', 3 * SECOND_MS);
  await expires(master, 'later', HOUR_MS);
  const second = Date.now() + 3 * SECOND_MS;
  await converged(master, replica);
  const heard = [await listenTo(master), await listenTo(replica)];
  expect(await listing(replica)).toContain('soon');
  for (const { pid } of [master, replica]) process.kill(pid, 'SIGSTOP');
  await pass(second + SECOND_MS - Date.now());
  const woken = performance.now();
  for (const { pid } of [master, replica]) process.kill(pid, 'SIGCONT');
  for (const listener of heard) {
    const at = await gone(listener, 'soon');
    expect(at).toBeGreaterThan(woken);
    expect(at - woken).toBeLessThan(NOTICED_MS);
  }
  for (const node of [master, replica]) expect(await listing(node)).toBe('./\nlater');
});

const compiler = Bun.which('cc');

/** A clock that can be set, and what makes a server go by it. */
function settableClock() {
  const directory = mkdtempSync(join(tmpdir(), 'imageserver-clock-'));
  scratch.push(directory);
  const library = join(directory, 'wall-clock.so');
  const made = Bun.spawnSync([
    compiler ?? '',
    '-shared',
    '-fPIC',
    '-O2',
    '-Wall',
    '-Werror',
    '-o',
    library,
    join(import.meta.dir, 'wall-clock.c'),
    '-ldl',
  ]);
  if (!made.success) throw new Error(made.stderr.toString());
  const file = join(directory, 'ahead');
  const set = (ms: number) => {
    const ahead = new DataView(new ArrayBuffer(8));
    ahead.setBigInt64(0, BigInt(ms) * 1_000_000n, true);
    // Written in place: the server has the file mapped.
    writeFileSync(file, new Uint8Array(ahead.buffer), { flag: 'r+' });
  };
  writeFileSync(file, new Uint8Array(8));
  return { set, environment: { LD_PRELOAD: library, WALL_CLOCK_AHEAD: file } };
}

test.skipIf(!compiler)(
  'a clock that is set ahead or back: what is due by it goes, nothing else',
  async () => {
    const clock = settableClock();
    const server = await start([], clock.environment);
    await expires(server, 'soon', 3 * SECOND_MS);
    const second = Date.now() + 3 * SECOND_MS;
    await expires(server, 'hour', HOUR_MS);
    await expires(server, 'day', 24 * HOUR_MS);
    const listener = await listenTo(server);

    clock.set(-HOUR_MS);
    await pass(second + 2 * SECOND_MS - Date.now());
    expect(await listing(server)).toBe('./\nday\nhour\nsoon');
    const back = performance.now();
    clock.set(0);
    const soon = await gone(listener, 'soon');
    expect(soon).toBeGreaterThan(back);
    expect(soon - back).toBeLessThan(NOTICED_MS);

    const jump = performance.now();
    clock.set(HOUR_MS);
    const hour = await gone(listener, 'hour');
    expect(hour).toBeGreaterThan(jump);
    expect(hour - jump).toBeLessThan(NOTICED_MS);
    expect(await listing(server)).toBe('./\nday');
    expect(server.log).toContain('Auto expiring (deleting) image: hour');
  },
);

test.skipIf(!compiler)(
  'a replica whose clock is set expires by that, and catches up when it is set right',
  async () => {
    const clock = settableClock();
    const master = await start();
    const replica = await start(master.replicaArgs(), clock.environment);
    await expires(master, 'hour', HOUR_MS);
    await expires(master, 'day', 24 * HOUR_MS);
    await converged(master, replica);
    const listener = await listenTo(replica);
    const jump = performance.now();
    clock.set(HOUR_MS);
    expect((await gone(listener, 'hour')) - jump).toBeLessThan(NOTICED_MS);
    expect(await listing(replica)).toBe('./\nday');
    expect(await listing(master)).toBe('./\nday\nhour');
    clock.set(0);
    await master.stop();
    await master.start();
    await converged(master, replica);
  },
);
