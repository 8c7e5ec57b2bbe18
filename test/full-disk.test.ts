/**
 * File systems that really are full, under whole servers: a replica whose disk fills up, and a server without a reserve
 * whose every kind of write meets ENOSPC. Mounts small file systems, so it needs root; skips otherwise.
 */
import { afterEach, expect, test } from 'bun:test';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { timeFromMillis } from '../src/wire/time.ts';
import {
  converged,
  Dice,
  freePort,
  Node,
  picture,
  sha512,
  statusOf,
  until,
  upload,
} from './replication-lab.ts';
import { startServer } from './server.ts';

const MIB = 1024 * 1024;
const mounts: string[] = [];
const nodes: Node[] = [];

function mount(mebibytes: number): string | undefined {
  const path = mkdtempSync(join(tmpdir(), 'imageserver-small-'));
  const done = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=711`, 'none', path], {
    stderr: 'ignore',
  });
  if (done.exitCode === 0) {
    mounts.push(path);
    return path;
  }
  rmdirSync(path);
  return undefined;
}

async function cleanUp(): Promise<void> {
  for (const node of nodes.splice(0)) await node.stop('SIGKILL');
  for (const path of mounts.splice(0)) {
    Bun.spawnSync(['umount', path]);
    rmdirSync(path);
  }
}
afterEach(cleanUp);

const mayMount = process.getuid?.() === 0 && mount(1) !== undefined;
if (mayMount) await cleanUp();

async function on(disk: string, args: readonly string[]): Promise<Node> {
  const node = new Node('ours', await freePort(), args, disk);
  nodes.push(node);
  await node.start();
  return node;
}

/** Everything that is left. */
function fill(disk: string): void {
  const fd = openSync(join(disk, 'rest'), 'a');
  const block = Buffer.alloc(4096);
  try {
    for (;;) writeSync(fd, block);
  } catch {
    // Full to the brim now.
  } finally {
    closeSync(fd);
  }
}

test.skipIf(!mayMount)('a replica whose disk fills up goes on when there is room again', async () => {
  const master = await Node.start('ours');
  try {
    const dice = new Dice(1);
    const disk = mount(24) as string;
    const replica = await on(disk, [...master.replicaArgs(), '-minFreeBytes=2M', '-objectGracePeriod=0s']);
    await master.add('first', [dice.bytes(MIB), dice.bytes(1000)]);
    await converged(master, replica);
    // More than fits beside this.
    const rest = join(disk, 'rest');
    writeFileSync(rest, Buffer.alloc(14 * MIB));
    await master.add(
      'big',
      Array.from({ length: 10 }, () => dice.bytes(MIB)),
    );
    await master.add('later', [dice.bytes(1000)]);
    await until('failing', async () => (await statusOf(replica)).Failing.length > 0);
    const failing = (await statusOf(replica)).Failing.find(({ Name }) => Name === 'big');
    expect(failing?.Reason).toContain('no space left on device');
    expect(await picture(replica)).not.toContain('big:');
    expect(await picture(replica)).toContain('first:');
    const object = `http://127.0.0.1:${replica.port}/objects/${sha512(Buffer.from('more'))}`;
    fill(disk);
    expect((await fetch(object, { method: 'PUT', body: 'more' })).status).not.toBe(200);
    // Deletion follows on a disk that is full to the brim.
    await master.delete('first');
    await until('deleted', async () => !(await picture(replica)).includes('first:'));
    rmSync(rest);
    await converged(master, replica);
    await replica.stop();
    await replica.start();
    await converged(master, replica);
    expect(
      (await (await fetch(`http://127.0.0.1:${replica.port}/readiness`)).text()).toLowerCase(),
    ).not.toContain('damage');
  } finally {
    await master.remove();
  }
});

test.skipIf(!mayMount)(
  'every kind of write on a full disk fails by itself, and nothing is damaged',
  async () => {
    const disk = mount(16) as string;
    const args = [
      '-minFreeBytes=0',
      '-trashGracePeriod=1h',
      '-objectGracePeriod=0s',
      '-objectServerCleanupStartPercent=99',
    ];
    const port = await freePort();
    const start = () => startServer({ directory: disk, args: [`-portNum=${port}`, ...args] });
    let server = await start();
    // What it is asked with; the compiled executable is what answers.
    const node = new Node('ours', port, [], disk);
    try {
      const dice = new Dice(2);
      for (const name of ['a', 'b', 'c']) await node.add(name, [dice.bytes(1000), Buffer.from(name)]);
      await node.mkdir('d');
      const orphan = dice.bytes(100_000);
      await node.with((client) => upload(client, [orphan]));
      const expiry = (hours: number) => timeFromMillis(Date.now() + hours * 3_600_000);
      await node.add('x', [Buffer.from('x')], expiry(1));
      const before = await picture(node);
      fill(disk);
      const space = /no space left on device|ENOSPC/i;
      expect(await node.setExpiry('x', expiry(2)).catch(String)).toEqual(
        expect.objectContaining({ Error: expect.stringMatching(space) }),
      );
      const url = (data: Uint8Array) => `http://127.0.0.1:${port}/objects/${sha512(data)}`;
      const small = dice.bytes(200_000);
      const put = await fetch(url(small), { method: 'PUT', body: small });
      expect([put.status, await put.text()]).toEqual([
        507,
        expect.stringContaining('no space left on device'),
      ]);
      // An object that comes as a stream, an image of what is here, an expiry.
      await expect(node.with((client) => upload(client, [dice.bytes(3 * MIB)]))).rejects.toThrow(space);
      await expect(
        node.add(
          'e',
          Array.from({ length: 300 }, () => orphan),
        ),
      ).rejects.toThrow(space);
      expect(await picture(node)).toBe(before);
      // Log lines find no room either: the server goes on.
      for (let round = 0; round < 50; round++) await node.mkdir('d').catch(() => undefined);
      await node.delete('b');
      expect(await picture(node)).not.toContain('b: ');
      for (const directory of ['images', 'objects'])
        expect(readdirSync(join(disk, directory, '.tmp'))).toEqual([]);
      const after = await picture(node);
      await server.stop('SIGKILL');
      // It starts on the full disk, too.
      server = await start();
      expect(await picture(node)).toBe(after);
      rmSync(join(disk, 'rest'));
      await node.add('fits again', [small]);
      await server.stop();
      server = await start();
      expect(await picture(node)).toContain('fits again: ');
      expect(server.stderr()).not.toMatch(/damage/i);
    } finally {
      await server.stop('SIGKILL');
    }
  },
);
