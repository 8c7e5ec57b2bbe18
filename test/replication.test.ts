/** Replicas of ours behind every kind of master, and the original behind ours: what is there becomes the same. */
import { afterEach, describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MOST_PENDING } from '../src/replication/inject-objects.ts';
import {
  ReleaseHeldDeletionsRequest,
  ReleaseHeldDeletionsResponse,
} from '../src/wire/messages/extensions.ts';
import { GetImageExpirationRequest, GetImageExpirationResponse } from '../src/wire/messages/imageserver.ts';
import { timeFromMillis, toMillis, ZERO_TIME } from '../src/wire/time.ts';
import {
  available,
  converged,
  Dice,
  freePort,
  type Kind,
  Node,
  picture,
  sha512,
  statusOf,
  until,
  upload,
  Wire,
} from './replication-lab.ts';

const kinds: Kind[] = ['ours', 'original', 'original-head'];
const nodes: Node[] = [];
const wires: Wire[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
  await Promise.all(wires.splice(0).map((wire) => wire.close()));
});

async function start(kind: Kind, args: readonly string[] = []): Promise<Node> {
  const node = await Node.start(kind, args);
  nodes.push(node);
  return node;
}
async function wireTo(node: Node): Promise<Wire> {
  const wire = await Wire.to(node.port);
  wires.push(wire);
  return wire;
}
const text = (...contents: string[]) => contents.map((one) => Buffer.from(one));
const objectPath = (node: Node, data: Uint8Array) => {
  const hash = sha512(data);
  return join(node.objectDirectory, hash.slice(0, 2), hash.slice(2, 4), hash.slice(4));
};

for (const kind of kinds) {
  describe.skipIf(!available(kind))(`a replica of ${kind}`, () => {
    test('initial copy, then changes within a second', async () => {
      const master = await start(kind);
      const dice = new Dice(1);
      await master.mkdir('d');
      await master.mkdir('d/e');
      const shared = dice.bytes(700_000);
      for (const name of ['d/a', 'd/b', 'd/e/c', 'top']) await master.add(name, [shared, ...text(name)]);
      const replica = await start('ours', master.replicaArgs());
      await converged(master, replica);
      await master.mkdir('f');
      await master.add('f/x', text('x'), timeFromMillis(Date.now() + 3_600_000));
      await master.delete('d/b');
      await converged(master, replica);
      const later = timeFromMillis(Date.now() + 7_200_000);
      await master.setExpiry('f/x', later);
      await converged(master, replica);
      const { ExpiresAt } = await replica.with((client) =>
        client.call('ImageServer.GetImageExpiration', GetImageExpirationRequest, GetImageExpirationResponse, {
          ImageName: 'f/x',
        }),
      );
      expect(toMillis(ExpiresAt)).toBe(toMillis(later));
      const status = await statusOf(replica);
      expect(status).toMatchObject({ State: 'live', Failing: [], HeldDeletions: [], QueueLength: 0 });
      expect(Math.abs(Number(status.ClockSkew))).toBeLessThan(30e9);
    });

    test('deleted and added again under its name', async () => {
      const master = await start(kind);
      const wire = await wireTo(master);
      const replica = await start('ours', master.replicaArgs(wire.port));
      await master.add('a', text('first'));
      await converged(master, replica);
      // The newest version of the original refuses the name for ever.
      if (kind === 'original-head') return;
      await master.delete('a');
      await master.add('a', text('second'));
      await converged(master, replica);
      wire.down = true;
      wire.cut();
      await master.delete('a');
      await master.add('a', text('third'));
      wire.down = false;
      await converged(master, replica);
    });

    test('a master that comes up empty empties nobody', async () => {
      const master = await start(kind);
      for (let i = 0; i < 8; i++) await master.add(`i${i}`, text(`contents ${i}`));
      const replica = await start('ours', master.replicaArgs());
      await converged(master, replica);
      const before = await picture(replica);
      await master.stop();
      const empty = new Node(kind, master.port);
      nodes.push(empty);
      await empty.start();
      await until('held', async () => (await statusOf(replica)).HeldDeletions.length === 8);
      expect(await picture(replica)).toBe(before);
      await empty.stop();
      await master.start();
      await until('over', async () => (await statusOf(replica)).HeldDeletions.length === 0);
      await converged(master, replica);
      expect(await picture(replica)).toBe(before);
    });

    test('an object missing at the master costs its image only', async () => {
      const master = await start(kind);
      await master.add('good', text('good'));
      await master.add('bad', text('bad', 'shared'));
      rmSync(objectPath(master, Buffer.from('bad')));
      const replica = await start('ours', master.replicaArgs());
      await until('failing', async () => (await statusOf(replica)).Failing.length === 1);
      expect((await statusOf(replica)).Failing[0]).toMatchObject({ Name: 'bad' });
      await master.add('later', text('later'));
      for (const name of ['good:', 'later:'])
        await until(name, async () => (await picture(replica)).includes(name));
      await master.with((client) => upload(client, text('bad')));
      await converged(master, replica);
    });

    test('an object altered at the master is never taken over', async () => {
      const master = await start(kind);
      await master.add('good', text('good'));
      await master.add('bad', text('these are right', 'other'));
      writeFileSync(objectPath(master, Buffer.from('these are right')), 'these are wrong');
      const replica = await start('ours', master.replicaArgs());
      await until('failing', async () => (await statusOf(replica)).Failing.length === 1);
      await until('good', async () => (await picture(replica)).includes('good:'));
      expect(await picture(replica)).not.toContain('bad:');
      writeFileSync(objectPath(master, Buffer.from('these are right')), 'these are right');
      await converged(master, replica);
    });

    test('cut in the middle of an object', async () => {
      const master = await start(kind);
      const objects = Array.from({ length: 30 }, (_, index) => Buffer.alloc(1_000_000, `object ${index} `));
      await master.add('big', objects);
      const wire = await wireTo(master);
      wire.holdAfter = 20_500_000;
      const replica = await start('ours', master.replicaArgs(wire.port));
      await until('18 MB', async () => (await statusOf(replica)).ReceivedBytes >= 18_000_000n);
      const before = wire.received;
      wire.cut();
      await converged(master, replica);
      // Of each of three connections at most one object was not whole: 15 MB at least are kept.
      expect(wire.received - before).toBeLessThan(16_000_000);
    });

    test('uploads to the replica go to the master first', async () => {
      const master = await start(kind);
      await master.mkdir('d');
      const dice = new Dice(3);
      const known = dice.bytes(1000);
      const replica = await start('ours', master.replicaArgs());
      await converged(master, replica);
      await replica.add('d/one', [known, ...text('one'), dice.bytes(2_000_000)]);
      expect(await picture(master)).toContain('d/one:');
      await converged(master, replica);
      // One object that the replica still has, but the master (unless it is ours, which waits longer) no more.
      await master.delete('d/one');
      await converged(master, replica);
      await master.collect();
      await replica.add('d/two', [known, ...text('two')]);
      await converged(master, replica);
      for (const refused of [() => replica.mkdir('x'), () => replica.delete('d/two')])
        await expect(refused()).rejects.toThrow('go to master');
      await master.stop();
      await expect(replica.add('d/three', text('three'))).rejects.toThrow();
    });

    test('an upload to the replica of more objects than may wait for an answer', async () => {
      const master = await start(kind);
      const replica = await start('ours', master.replicaArgs());
      await converged(master, replica);
      // With masters of old this takes two calls there.
      const contents = Array.from({ length: MOST_PENDING + 500 }, (_, index) => Buffer.from(`tiny ${index}`));
      await replica.add('many', contents);
      await converged(master, replica);
      for (const node of [master, replica])
        for (const data of contents) expect(statSync(objectPath(node, data)).size).toBe(data.length);
    });

    test('an upload to the replica over HTTP, of unknown length, goes to the master first', async () => {
      const master = await start(kind);
      const replica = await start('ours', master.replicaArgs());
      await converged(master, replica);
      const data = new Dice(4).bytes(3_000_000);
      const put = async () => {
        const body = new Blob([Buffer.from(data)]).stream();
        const response = await fetch(`http://127.0.0.1:${replica.port}/objects`, {
          method: 'POST',
          headers: { 'content-type': 'application/octet-stream' },
          body,
        });
        return [response.status, ((await response.json()) as { Hash: string }).Hash];
      };
      expect(await put()).toEqual([201, sha512(data)]);
      for (const node of [master, replica]) expect(statSync(objectPath(node, data)).size).toBe(data.length);
      expect(await put()).toEqual([200, sha512(data)]);
    });

    test('no space at the replica: told, nothing half, and fetched once there is room', async () => {
      const master = await start(kind);
      await master.add('a', text('a', 'b'));
      const full = await Node.start('ours', [...master.replicaArgs(), '-minFreeBytes=1000T']);
      nodes.push(full);
      await until('failing', async () => (await statusOf(full)).Failing.length === 1);
      expect((await statusOf(full)).Failing[0]?.Reason).toContain('space');
      expect(await picture(full)).not.toContain('a:');
      await full.stop();
      const roomy = await full.again(master.replicaArgs());
      nodes.push(roomy);
      await converged(master, roomy);
    });

    test('archiver', async () => {
      const master = await start(kind);
      const archiver = await start('ours', [...master.replicaArgs(), '-archiveMode']);
      await master.add('a', text('a'));
      await master.add('b', text('b'));
      await master.add('x', text('x'), timeFromMillis(Date.now() + 3_600_000));
      const has = (what: string) => async () => (await picture(archiver)).includes(what);
      await until('a', has('a:'));
      await until('b', has('b:'));
      await master.delete('a');
      if (kind !== 'original-head') {
        await master.delete('b');
        await master.add('b', text('another b'));
        await until('both', has('b.replaced-'));
      }
      expect(await has('x:')()).toBe(false);
      if (kind === 'original') {
        await master.setExpiry('x', ZERO_TIME);
        await until('x', has('x:'));
      }
      expect(await has('a:')()).toBe(true);
    });

    test('master restarted and killed', async () => {
      const master = await start(kind);
      await master.add('a', text('a'));
      const replica = await start('ours', master.replicaArgs());
      await converged(master, replica);
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        await master.stop(signal);
        await master.start();
        await master.add(`after ${signal}`, text(signal));
        await converged(master, replica);
      }
    });
  });
}

describe('our own pair', () => {
  test('held deletions are released by a decision, from there everything is in the trash', async () => {
    const master = await start('ours');
    for (let i = 0; i < 8; i++) await master.add(`i${i}`, text(`contents ${i}`));
    const replica = await start('ours', master.replicaArgs());
    await converged(master, replica);
    await replica.stop();
    for (let i = 0; i < 7; i++) await master.delete(`i${i}`);
    await replica.start();
    await until('held', async () => (await statusOf(replica)).HeldDeletions.length === 7);
    const { ImageNames } = await replica.with((client) =>
      client.call(
        'ImageServer.ReleaseHeldDeletions',
        ReleaseHeldDeletionsRequest,
        ReleaseHeldDeletionsResponse,
        { ImageNames: [], All: true },
      ),
    );
    expect(ImageNames.length).toBe(7);
    await converged(master, replica);
  });

  test('a corrupt image at the master costs nobody else', async () => {
    const master = await start('ours');
    await master.add('good', text('good'));
    await master.add('bad', text('bad'));
    await master.stop();
    const file = join(master.imageDirectory, 'bad');
    const bytes = readFileSync(file);
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] as number) ^ 1;
    writeFileSync(file, bytes);
    await master.start();
    const replica = await start('ours', master.replicaArgs());
    await until('good', async () => (await picture(replica)).includes('good:'));
    expect(await picture(replica)).not.toContain('bad:');
    await master.add('later', text('later'));
    await until('later', async () => (await picture(replica)).includes('later:'));
  });

  test('an image that is damaged at the master stays on the replica', async () => {
    const master = await start('ours');
    for (const name of ['good', 'bad', 'gone']) await master.add(name, text(name));
    const replica = await start('ours', master.replicaArgs());
    await converged(master, replica);
    const before = (await picture(replica)).split('\n').filter((line) => !line.startsWith('gone'));
    await replica.stop();
    await master.delete('gone');
    await master.stop();
    writeFileSync(join(master.imageDirectory, 'bad'), 'damaged');
    await master.start();
    expect(await picture(master)).not.toContain('bad:');
    await replica.start();
    await until('compared', async () => !(await picture(replica)).includes('gone:'));
    await until('live', async () => (await statusOf(replica)).State === 'live');
    expect((await picture(replica)).split('\n')).toEqual(before);
  });

  test('imagetool: trash, undelete, purge, replication status, release of deletions', async () => {
    const master = await start('ours');
    for (let i = 0; i < 8; i++) await master.add(`i${i}`, text(`contents ${i}`));
    const replica = await start('ours', master.replicaArgs());
    await converged(master, replica);
    expect(await master.tool('replication-status')).toMatchObject({ status: 0, stdout: 'not a replica\n' });
    await master.delete('i0');
    const listed = await master.tool('trash');
    expect(listed.stdout).toStartWith('i0  id ');
    expect(await master.tool('undelete', 'i0')).toMatchObject({ status: 0, stderr: '' });
    await converged(master, replica);
    expect((await master.tool('undelete', 'i0')).stderr).toContain('not in the trash: i0');
    await master.delete('i0');
    await master.delete('i1');
    expect(await master.tool('purge', 'i1')).toMatchObject({ status: 0, stderr: '' });
    expect((await master.tool('trash', 'empty')).stdout).toBe('i0\n');
    expect((await master.tool('trash')).stdout).toBe('');
    expect((await replica.tool('undelete', 'i1')).stderr).toContain('go to master');
    await replica.stop();
    for (let i = 2; i < 8; i++) await master.delete(`i${i}`);
    await replica.start();
    await until('held', async () => (await statusOf(replica)).HeldDeletions.length === 6);
    const status = await replica.tool('replication-status');
    expect(status.status).toBe(1);
    expect(status.stdout).toContain(`replica of 127.0.0.1:${master.port}: live`);
    expect(status.stdout).toContain('deletion held back: i2: the master lists no images');
    const page = await (await fetch(`http://127.0.0.1:${replica.port}/`)).text();
    for (const text of [
      `Replication master: 127.0.0.1:${master.port}`,
      'Replication state: live, since',
      'Deletions held back: 6',
      'i2: the master lists no images',
      'Replication: 6 deletions are held back and await a decision',
    ])
      expect(page).toContain(text);
    const readiness = await fetch(`http://127.0.0.1:${replica.port}/readiness`);
    expect([readiness.status, await readiness.text()]).toEqual([
      200,
      expect.stringContaining('6 deletions are held back'),
    ]);
    expect(await (await fetch(`http://127.0.0.1:${master.port}/`)).text()).toContain(
      'Replication clients: 1',
    );
    expect((await replica.tool('release-deletions', 'i2')).stdout).toBe('i2\n');
    expect((await replica.tool('release-deletions', 'all')).stdout.split('\n').length).toBe(6);
    await converged(master, replica);
  });

  test('a chain: the last one gets everything, and not before the middle one has it', async () => {
    const master = await start('ours');
    await master.mkdir('d');
    for (let i = 0; i < 5; i++) await master.add(`d/${i}`, text(`contents ${i}`, 'shared'));
    const middle = new Node('ours', await freePort(), master.replicaArgs());
    nodes.push(middle);
    const last = await start('ours', middle.replicaArgs());
    await middle.start();
    await converged(master, last);
    await master.add('d/new', text('new'));
    await converged(master, last);
    await last.add('d/from the end', text('through both'));
    await converged(master, middle);
    await converged(master, last);
  });

  test('a replica killed while it copies goes on where it was', async () => {
    const master = await start('ours');
    const dice = new Dice(4);
    for (let i = 0; i < 10; i++) await master.add(`i${i}`, [dice.bytes(300_000), dice.bytes(300_000)]);
    const wire = await wireTo(master);
    wire.holdAfter = 3_500_000;
    const replica = await start('ours', master.replicaArgs(wire.port));
    await until('some', async () => (await picture(replica)).includes(': '));
    await replica.stop('SIGKILL');
    const before = wire.received;
    wire.cut();
    await replica.start();
    await converged(master, replica);
    // At least the image that was complete is not fetched again.
    expect(wire.received - before).toBeLessThan(10 * 600_000);
  });

  test('the cap on bandwidth holds', async () => {
    const master = await start('ours');
    const dice = new Dice(6);
    await master.add('big', [dice.bytes(2_000_000), dice.bytes(2_000_000), dice.bytes(2_000_000)]);
    const wire = await wireTo(master);
    const started = performance.now();
    const replica = await start('ours', [...master.replicaArgs(wire.port), '-replicationBandwidth=2M']);
    await converged(master, replica);
    // Beyond what one second allows, 3.9 MB are waited for.
    expect(performance.now() - started).toBeGreaterThan(1800);
    expect(wire.received).toBeGreaterThan(6_000_000);
  });

  test('a damaged object of the replica comes from the master again', async () => {
    const master = await start('ours');
    await master.add('a', text('contents'));
    const replica = await start('ours', master.replicaArgs());
    await converged(master, replica);
    await replica.stop();
    rmSync(objectPath(replica, Buffer.from('contents')));
    await replica.start();
    await converged(master, replica);
    expect(existsSync(objectPath(replica, Buffer.from('contents')))).toBe(true);
  });

  test('an archiver of expiring images has them while they live, and both of a name used twice for good', async () => {
    const master = await start('ours');
    const archiver = await start('ours', [...master.replicaArgs(), '-archiveMode', '-archiveExpiringImages']);
    const has = (what: string) => async () => (await picture(archiver)).includes(what);
    await master.add('x', text('first x'), timeFromMillis(Date.now() + 3_600_000));
    await until('x', has('x:'));
    await master.delete('x');
    await master.add('x', text('second x'), timeFromMillis(Date.now() + 3_600_000));
    await until('both', has('x.replaced-'));
    await master.add('soon', text('soon'), timeFromMillis(Date.now() + 4000));
    await until('soon', has('soon:'));
    await until('expired', async () => !(await has('soon:')()));
    await master.delete('x');
    await master.add('later', text('later'));
    await until('later', has('later:'));
    for (const name of ['x:', 'x.replaced-']) expect(await has(name)()).toBe(true);
  });

  test('filters choose the images', async () => {
    const master = await start('ours');
    const filter = join(master.directory, 'exclude');
    writeFileSync(filter, '# not these\nskip\n');
    await master.add('skip1', text('1'));
    await master.add('keep1', text('2'));
    const replica = await start('ours', [...master.replicaArgs(), `-replicationExcludeFilter=${filter}`]);
    await until('keep1', async () => (await picture(replica)).includes('keep1:'));
    expect(await picture(replica)).not.toContain('skip1:');
    writeFileSync(filter, 'skip\n');
    const other = await start('ours', [...master.replicaArgs(), `-replicationIncludeFilter=${filter}`]);
    await master.add('skip2', text('live'));
    await until('skip2', async () => (await picture(other)).includes('skip2:'));
    expect(await picture(other)).toContain('skip1:');
    expect(await picture(other)).not.toContain('keep1:');
  });
});

for (const kind of ['original', 'original-head'] as const)
  describe.skipIf(!available(kind))(`a replica of ours that is ${kind}`, () => {
    test('initial copy, live changes, injection', async () => {
      const master = await start('ours');
      await master.mkdir('d');
      const dice = new Dice(5);
      await master.add('d/a', [dice.bytes(400_000), ...text('a')]);
      await master.add('d/b', text('b'));
      const replica = await start(kind, master.replicaArgs());
      await converged(master, replica);
      await master.add('d/x', text('x'), timeFromMillis(Date.now() + 3_600_000));
      await master.delete('d/b');
      await master.mkdir('d/e');
      await converged(master, replica);
      await master.setExpiry('d/x', timeFromMillis(Date.now() + 7_200_000));
      await converged(master, replica);
      await replica.add('d/injected', [dice.bytes(300_000), ...text('injected')]);
      await converged(master, replica);
      expect(readdirSync(replica.imageDirectory).length).toBeGreaterThan(0);
      expect(statSync(join(replica.imageDirectory, 'd', 'injected')).size).toBeGreaterThan(0);
    });

    test('behind our replica of one of its kind: blocked until that is complete, then the same', async () => {
      const master = await start(kind);
      await master.mkdir('d');
      for (let i = 0; i < 5; i++) await master.add(`d/${i}`, text(`contents ${i}`, 'shared'));
      const middle = new Node('ours', await freePort(), master.replicaArgs());
      nodes.push(middle);
      await middle.start();
      const last = await start(kind, middle.replicaArgs());
      await converged(master, last);
      await master.add('d/new', text('new'));
      await master.delete('d/0');
      await converged(master, last);
      await last.add('d/from the end', text('through both'));
      await converged(master, middle);
      await converged(master, last);
    });

    test('images expire on both sides, and its session outlives that', async () => {
      const master = await start('ours');
      const soon = timeFromMillis(Date.now() + 8000);
      await master.add('known', text('known'), soon);
      const replica = await start(kind, master.replicaArgs());
      await master.add('new', text('new'), soon);
      await converged(master, replica);
      await replica.add('injected', text('injected'), soon);
      expect(await picture(replica)).toContain('known: ');
      await until('expired', async () => !(await picture(master)).includes('known: '));
      await converged(master, replica);
      await master.add('later', text('later'));
      await converged(master, replica);
      const logged = () => readFileSync(join(replica.directory, 'log', 'latest'), 'utf8');
      await until('logged', () => logged().includes('Replicator(later): added image'));
      const log = logged();
      expect(log).toContain('Auto expiring (deleting) image: known');
      expect(log).not.toContain('does not exist');
      expect(log.split('Image replicator: connected to').length - 1).toBe(1);
    });
  });
