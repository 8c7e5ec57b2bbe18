/** What ships, as replicas: a chain of three, deletions that are held back, a cut in the middle of a large object. */
import { afterEach, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Operation } from '../src/wire/messages/imageserver.ts';
import { timeFromMillis } from '../src/wire/time.ts';
import { converged, Dice, listing, Node, picture, sha512, statusOf, until, Wire } from './replication-lab.ts';
import { UpdateListener } from './update-listener.ts';

const nodes: Node[] = [];
const wires: Wire[] = [];
const listeners: UpdateListener[] = [];
afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.close();
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
  await Promise.all(wires.splice(0).map((wire) => wire.close()));
});

async function start(...args: string[]): Promise<Node> {
  const node = await Node.start('ours', args, 'executable');
  nodes.push(node);
  return node;
}
async function wireTo(node: Node): Promise<Wire> {
  const wire = await Wire.to(node.port);
  wires.push(wire);
  return wire;
}
async function listenTo(node: Node): Promise<UpdateListener> {
  const listener = await UpdateListener.on(node);
  listeners.push(listener);
  return listener;
}
const page = async (node: Node, path: string) => {
  const response = await fetch(`http://127.0.0.1:${node.port}${path}`);
  return { status: response.status, text: await response.text() };
};
const text = (...contents: string[]) => contents.map((one) => Buffer.from(one));
const hasObject = (node: Node, hash: string) =>
  existsSync(join(node.objectDirectory, hash.slice(0, 2), hash.slice(2, 4), hash.slice(4)));
const hour = (hours: number) => timeFromMillis(Date.now() + hours * 3_600_000);

test('a chain of three: the last waits for the middle, changes travel through, kill -9 of the middle one', async () => {
  const dice = new Dice(7);
  const master = await start();
  await master.mkdir('d');
  for (let i = 0; i < 6; i++) await master.add(`d/${i}`, [dice.bytes(300_000), ...text('shared')]);
  const toMaster = await wireTo(master);
  toMaster.holdAfter = 1_000_000;
  const middle = await start(...master.replicaArgs(toMaster.port));
  await until('some images are in the middle', async () => (await listing(middle)).includes('d/'));
  const toMiddle = await wireTo(middle);
  const last = await start(...middle.replicaArgs(toMiddle.port));
  const listener = await listenTo(middle);
  await until('the last follows the middle', async () => (await statusOf(last)).State === 'initial');
  expect(await listing(last)).toBe('./');
  expect(await listing(middle)).not.toBe(await listing(master));
  const released = performance.now();
  toMaster.cut();
  expect(await listener.after(0, () => true)).toBeGreaterThan(released);
  expect(await listing(middle)).toBe(await listing(master));
  await converged(master, last);

  const far = await listenTo(last);
  await far.listed();
  const travels = async (
    change: Promise<unknown>,
    tells: Parameters<UpdateListener['after']>[1],
    before = far.count,
  ) => {
    await change;
    await far.after(before, tells);
    await converged(master, last);
  };
  const added = (name: string) => (update: { Name: string; Operation: bigint | number }) =>
    update.Name === name && update.Operation === Operation.AddImage;
  await travels(master.mkdir('d/e'), ({ Directory }) => Directory?.Name === 'd/e');
  await travels(master.add('d/e/x', text('x'), hour(1)), added('d/e/x'));
  await travels(master.setExpiry('d/e/x', hour(2)), added('d/e/x'));
  await travels(
    master.delete('d/0'),
    ({ Name, Operation: operation }) => Name === 'd/0' && operation === Operation.DeleteImage,
  );

  // While a change is on its way through it the middle one dies, and other changes happen before it is back.
  toMaster.holdAfter = 1_500_000;
  await master.add('d/late', [dice.bytes(1_000_000), dice.bytes(1_000_000)]);
  await until('half of it is in the middle', () => toMaster.holdAfter === 0);
  await middle.stop('SIGKILL');
  toMaster.cut();
  const before = toMiddle.received;
  await master.delete('d/1');
  await master.setExpiry('d/e/x', hour(3));
  await master.add('d/meanwhile', text('meanwhile', 'shared'));
  await middle.start();
  await converged(master, middle);
  await converged(master, last);
  // The new image, lists and stream, but none of the 1.2 MB that the last one has.
  expect(toMiddle.received - before).toBeLessThan(2_400_000);
  await last.add('d/from the end', text('through both'));
  await converged(master, middle);
  await converged(master, last);
});

test('held deletions: status page, metric, readiness, log; released by imagetool, or dropped when the images are back', async () => {
  const master = await start();
  await master.mkdir('d');
  for (let i = 0; i < 8; i++) await master.add(`i${i}`, text(`contents ${i}`));
  const replica = await start(...master.replicaArgs());
  await converged(master, replica);
  const metric = async () =>
    /^imageserver_replication_held_deletions (\S+)$/m.exec((await page(replica, '/metrics')).text)?.[1];
  expect(await metric()).toBe('0');
  expect(await replica.tool('replication-status')).toMatchObject({ status: 0 });

  await master.stop();
  const empty = new Node('ours', master.port);
  empty.program = 'executable';
  nodes.push(empty);
  await empty.start();
  await until('held', async () => (await statusOf(replica)).HeldDeletions.length === 8);
  expect(await metric()).toBe('8');
  const home = (await page(replica, '/')).text;
  for (const words of [
    'Deletions held back: 8',
    'i7: the master lists no images',
    'imagetool release-deletions all',
    'Replication: 8 deletions are held back and await a decision',
  ])
    expect(home).toContain(words);
  expect(await page(replica, '/readiness')).toEqual({
    status: 200,
    text: expect.stringContaining('8 deletions are held back'),
  });
  expect(replica.log).toContain('8 deletions are held back: the master lists no images');
  const asked = await replica.tool('replication-status');
  expect(asked.status).toBe(1);
  expect(asked.stdout.match(/^deletion held back: i\d: the master lists no images$/gm)).toHaveLength(8);

  expect(await replica.tool('release-deletions', 'i3', 'nothing')).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('no deletion is held back of: nothing'),
  });
  expect(await replica.tool('release-deletions', 'i3', 'i4')).toMatchObject({
    status: 0,
    stdout: 'i3\ni4\n',
    stderr: '',
  });
  expect(await metric()).toBe('6');
  expect((await page(replica, '/')).text).toContain('Deletions held back: 6');
  expect(await listing(replica)).not.toContain('i3');
  const trash = (await replica.tool('trash')).stdout;
  for (const name of ['i3  id ', 'i4  id ']) expect(trash).toContain(name);
  expect(await picture(replica)).toContain('i5: ');

  await empty.stop();
  await master.start();
  await converged(master, replica);
  expect(await metric()).toBe('0');
  expect((await page(replica, '/')).text).toContain('Deletions held back: 0');
  expect(await replica.tool('replication-status')).toMatchObject({ status: 0 });

  // Over a restart of the replica the decision is still asked for, and then made for all.
  await master.stop();
  await empty.start();
  await until('held', async () => (await statusOf(replica)).HeldDeletions.length === 8);
  await replica.stop('SIGKILL');
  await replica.start();
  await until('held again', async () => (await metric()) === '8');
  const all = await replica.tool('release-deletions', 'all');
  expect(all.stdout.trim().split('\n')).toHaveLength(8);
  // Also the directory that was kept meanwhile goes.
  await converged(empty, replica);
  expect(await metric()).toBe('0');
});

test('cut in the middle of an object of 64 MiB: only that comes again', async () => {
  const MEBI = 1024 * 1024;
  const dice = new Dice(9);
  const block = dice.bytes(MEBI);
  /** All different, whichever way they are cut. */
  const made = (size: number, seed: number) => {
    const data = Buffer.alloc(size);
    for (let at = 0; at < size; at += MEBI) {
      block.copy(data, at);
      data.writeUInt32LE(seed * 1000 + at / MEBI, at);
    }
    return data;
  };
  const master = await start();
  const known = Array.from({ length: 20 }, (_, index) => made(MEBI, index + 1));
  const fresh = Array.from({ length: 20 }, (_, index) => made(MEBI, index + 101));
  const large = made(64 * MEBI, 201);
  await master.add('known', known);
  const wire = await wireTo(master);
  const replica = await start(...master.replicaArgs(wire.port));
  await converged(master, replica);

  // Whatever the connection brought before (40 MiB at most), it is held in the middle of the large object.
  wire.holdEachAfter = 50 * MEBI;
  const before = wire.received;
  await master.add('large', [large, ...fresh, ...known]);
  const others = fresh.map(sha512);
  await until('the others are there', () => others.every((hash) => hasObject(replica, hash)));
  await until('part of the large one', () => wire.received - before >= 30 * MEBI);
  expect(wire.received - before).toBeLessThan(75 * MEBI);
  expect(hasObject(replica, sha512(large))).toBe(false);
  expect(await listing(replica)).not.toContain('large');
  const held = wire.received;
  wire.cut();
  await converged(master, replica);
  const again = wire.received - held;
  console.log(
    `64 MiB object cut: ${(held - before) / MEBI} MiB before, ${(again / MEBI).toFixed(2)} MiB after the cut`,
  );
  expect(again).toBeGreaterThan(64 * MEBI);
  expect(again).toBeLessThan(65 * MEBI);

  // The same with the master killed instead of the network cut: nothing that is here comes again.
  wire.holdAfter = 30 * MEBI;
  const other = made(64 * MEBI, 301);
  await master.add('other', [other, large, ...fresh]);
  await until('part of the other one', () => wire.holdAfter === 0);
  await master.stop('SIGKILL');
  wire.cut();
  const killed = wire.received;
  await master.start();
  await converged(master, replica);
  expect(wire.received - killed).toBeGreaterThan(64 * MEBI);
  expect(wire.received - killed).toBeLessThan(65 * MEBI);
});
