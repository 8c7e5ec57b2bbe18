import { afterEach, describe, expect, test } from 'bun:test';
import { ImageServerError } from '../errors.ts';
import { encodeImage } from '../wire/encoded-image.ts';
import { timeFromMillis, ZERO_TIME } from '../wire/time.ts';
import { FakeMaster } from './master-fixture.ts';
import type { MasterConnection } from './master-link.ts';
import {
  createReplicator,
  DEFAULT_REPLICATION,
  type ReplicationConfig,
  type Replicator,
} from './replicator.ts';
import { imageOf, MemoryImages, MemoryObjects, sha512 } from './store-fixture.ts';
import type { Timers } from './timers.ts';

/** Time runs this much faster than the clock on the wall. */
const SPEED = 100;
const start = Date.now();
const timers: Timers = {
  now: () => start + (Date.now() - start) * SPEED,
  random: () => 0.5,
  after(ms, then) {
    const timer = setTimeout(then, ms / SPEED);
    return () => clearTimeout(timer);
  },
};

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const running: Replicator[] = [];
afterEach(async () => {
  for (const replicator of running.splice(0)) await replicator.stop();
});

function replicaOf(master: FakeMaster, config: Partial<ReplicationConfig> = {}) {
  const objects = new MemoryObjects();
  const images = new MemoryImages(objects, timers.now);
  const log: string[] = [];
  const replicator = createReplicator(
    { ...DEFAULT_REPLICATION, ...config },
    {
      images: images.asStore(),
      objects: objects.asStore(),
      master: master.port,
      log: (line) => log.push(line),
      timers,
      schedule(pattern, run) {
        if (pattern !== '* * * * * *') return { stop: () => undefined };
        let busy = false;
        const timer = setInterval(async () => {
          if (busy) return;
          busy = true;
          await run();
          busy = false;
        }, 1000 / SPEED);
        return { stop: () => clearInterval(timer) };
      },
    },
  );
  running.push(replicator);
  return { objects, images, log, replicator, names: () => [...images.stored.keys()].sort() };
}

async function live(replica: ReturnType<typeof replicaOf>): Promise<void> {
  replica.replicator.start();
  await until('live', () => replica.replicator.status().state === 'live');
}

const masterWith = async (...names: string[]) => {
  const master = new FakeMaster(timers.now);
  await master.images.makeDirectory('d', 'group');
  for (const name of names) await master.add(name, [`contents of ${name}`, 'shared']);
  return master;
};

for (const knowsIdentities of [false, true])
  describe(knowsIdentities ? 'a master of ours' : 'a master of old', () => {
    const masterOf = async (...names: string[]) => {
      const master = await masterWith(...names);
      master.knowsIdentities = knowsIdentities;
      return master;
    };

    test('everything is copied, each object once', async () => {
      const master = await masterOf('d/a', 'd/b', 'd/c');
      const replica = replicaOf(master);
      await live(replica);
      expect(replica.names()).toEqual(['d/a', 'd/b', 'd/c']);
      expect(replica.images.directoryGroups.get('d')).toBe('group');
      expect(master.objectsSent.length).toBe(new Set(master.objectsSent).size);
      expect(replica.images.stored.get('d/a')?.encoded.bytes).toEqual(
        master.images.stored.get('d/a')?.encoded.bytes as Uint8Array,
      );
    });

    test('changes follow', async () => {
      const master = await masterOf('d/a');
      const replica = replicaOf(master);
      await live(replica);
      await master.images.makeDirectory('e', '');
      await master.add('e/x', ['x']);
      await master.images.remove('d/a');
      await master.images.setOwnerGroup('e', 'others');
      await until('followed', () => replica.names().join() === 'e/x');
      expect(replica.images.directoryGroups.get('e')).toBe('others');
      const later = timeFromMillis(timers.now() + 10_000_000);
      await master.images.setExpiry('e/x', later);
      await until(
        'expiry',
        () => replica.images.stored.get('e/x')?.entry.expiresAt.unixNanos === later.unixNanos,
      );
      await master.images.setExpiry('e/x', ZERO_TIME);
      await until('permanent', () => replica.images.stored.get('e/x')?.entry.expiresAt === ZERO_TIME);
      await master.images.remove('e/x');
      await master.images.removeDirectory('e');
      await until('rmdir', () => !replica.images.directoryGroups.has('e'));
    });

    test('deleted and added again under its name: replaced, while connected and while not', async () => {
      const master = await masterOf('d/a', 'd/b');
      const replica = replicaOf(master);
      await live(replica);
      await master.images.remove('d/a');
      await master.add('d/a', ['another']);
      const has = (content: string) => replica.images.stored.get('d/a')?.hashes.includes(sha512(content));
      await until('replaced', () => has('another') === true);
      master.up = false;
      master.cut();
      await until('cut', () => replica.replicator.status().state === 'disconnected');
      await master.images.remove('d/a');
      await master.add('d/a', ['a third']);
      master.up = true;
      await until('replaced again', () => has('a third') === true);
    });

    test('nothing changed: nothing is fetched when the session begins anew', async () => {
      const master = await masterOf('d/a', 'd/b');
      const replica = replicaOf(master);
      await live(replica);
      const sent = master.objectsSent.length;
      replica.replicator.reconcile();
      await until('second session', () => master.sessions === 2);
      await until('live', () => replica.replicator.status().state === 'live');
      expect(master.objectsSent.length).toBe(sent);
      expect(master.headersAsked).toBe(knowsIdentities ? 0 : 2);
      expect(replica.log.filter((line) => line.includes('closed'))).toEqual([]);
    });
  });

describe('mass deletion', () => {
  const names = Array.from({ length: 33 }, (_, index) => `d/${index}`);
  test('an empty master empties nobody; its return ends the alarm', async () => {
    const master = await masterWith(...names.toReversed());
    const replica = replicaOf(master);
    await live(replica);
    const saved = new Map(master.images.stored);
    master.images.stored.clear();
    master.cut();
    await until('held', () => replica.replicator.status().heldDeletions.length === 33);
    // As people read them, however they came.
    expect(replica.replicator.status().heldDeletions.map(({ name }) => name)).toEqual(names);
    expect(replica.names().length).toBe(33);
    for (const [name, stored] of saved) master.images.stored.set(name, stored);
    master.cut();
    await until('released', () => replica.replicator.status().heldDeletions.length === 0);
    expect(replica.names().length).toBe(33);
    expect(replica.images.trashed).toEqual([]);
  });
  test('held deletions happen when somebody decides so', async () => {
    const master = await masterWith(...names);
    const replica = replicaOf(master);
    await live(replica);
    master.images.stored.clear();
    master.cut();
    await until('held', () => replica.replicator.status().heldDeletions.length === 33);
    await expect(replica.replicator.releaseDeletions(['d/1', 'nothing'])).rejects.toThrow(
      'no deletion is held back of: nothing',
    );
    expect(replica.names().length).toBe(33);
    expect(await replica.replicator.releaseDeletions(['d/1', 'd/1'])).toEqual(['d/1']);
    expect(replica.names().length).toBe(32);
    expect((await replica.replicator.releaseDeletions()).length).toBe(32);
    expect(replica.names()).toEqual([]);
    expect(replica.images.trashed.length).toBe(33);
  });
  test('a decision that cannot be carried out can be made again', async () => {
    const master = await masterWith(...names);
    const replica = replicaOf(master);
    await live(replica);
    master.images.stored.clear();
    master.cut();
    await until('held', () => replica.replicator.status().heldDeletions.length === 33);
    const full = new ImageServerError('NO_SPACE', 'no space left on device');
    replica.images.failsToRemove = full;
    await expect(replica.replicator.releaseDeletions()).rejects.toThrow(full.message);
    expect(replica.replicator.status().heldDeletions.length).toBe(33);
    replica.images.failsToRemove = undefined;
    expect((await replica.replicator.releaseDeletions()).length).toBe(33);
  });
  test('a flood of delete events is held back', async () => {
    const master = await masterWith(...names);
    const replica = replicaOf(master);
    await live(replica);
    for (const name of names) await master.images.remove(name);
    await until('held', () => replica.replicator.status().heldDeletions.length === 13);
    expect(replica.names().length).toBe(13);
  });
  test('a few are followed', async () => {
    const master = await masterWith(...names);
    const replica = replicaOf(master);
    await live(replica);
    for (const name of names.slice(0, 5)) master.images.stored.delete(name);
    master.cut();
    await until('deleted', () => replica.names().length === 28);
    expect(replica.replicator.status().heldDeletions).toEqual([]);
  });
});

describe('trouble', () => {
  test('one bad image holds up nobody and is tried again', async () => {
    const master = await masterWith('d/a', 'd/b', 'd/c');
    const lacking = sha512('contents of d/b');
    const data = master.objects.contents.get(lacking) as Uint8Array;
    master.objects.contents.delete(lacking);
    const replica = replicaOf(master);
    await live(replica);
    expect(replica.names()).toEqual(['d/a', 'd/c']);
    expect(replica.replicator.status().failing).toMatchObject([{ name: 'd/b' }]);
    expect(replica.replicator.status().failing[0]?.reason).toContain('not at the master');
    await master.add('d/later', ['later']);
    await until('others go on', () => replica.names().includes('d/later'));
    master.objects.contents.set(lacking, data);
    await until('healed', () => replica.names().includes('d/b'));
    expect(replica.replicator.status().failing).toEqual([]);
  });

  test('a damaged object is refused, the rest of its image is kept', async () => {
    const master = await masterWith('d/a');
    const bad = sha512('contents of d/a');
    master.objects.contents.set(bad, Buffer.from('kontents of d/a'));
    const replica = replicaOf(master);
    await live(replica);
    expect(replica.names()).toEqual([]);
    expect(replica.objects.size(sha512('shared'))).toBe(6);
    expect(replica.replicator.status().failing[0]?.reason).toContain('hash mismatch');
    master.objects.contents.set(bad, Buffer.from('contents of d/a'));
    await until('healed', () => replica.names().includes('d/a'));
  });

  test('a cut in the middle keeps what has arrived', async () => {
    const master = new FakeMaster(timers.now);
    await master.add(
      'big',
      Array.from({ length: 20 }, (_, index) => `part ${index}`),
    );
    let left = 10;
    master.onObject = () => {
      if (left-- === 0) master.cut();
    };
    const replica = replicaOf(master);
    await live(replica);
    await until('whole', () => replica.names().includes('big'));
    expect(master.objectsSent.length).toBe(20);
  });

  test('a network that is cut again and again is tried again within a second each time, as long as something comes', async () => {
    const master = new FakeMaster(timers.now);
    await master.add(
      'big',
      Array.from({ length: 40 }, (_, index) => `part ${index}`),
    );
    let sent = 0;
    let first = 0;
    master.onObject = () => {
      first ||= timers.now();
      if (++sent % 2 === 0) master.cut();
    };
    const replica = replicaOf(master);
    await live(replica);
    await until('whole', () => replica.names().includes('big'));
    expect(master.sessions).toBeGreaterThan(35);
    // By the time since the beginning the last waits would be of ten seconds and more.
    expect(timers.now() - first).toBeLessThan(master.sessions * 2000);
  });

  test('no space here: reported, nothing half, and fetched once there is room', async () => {
    const master = await masterWith('d/a');
    const replica = replicaOf(master);
    replica.objects.capacity = 10;
    await live(replica);
    expect(replica.names()).toEqual([]);
    expect(replica.replicator.status().failing[0]?.reason).toBe('no space left on device');
    replica.objects.capacity = 1e6;
    await until('fetched', () => replica.names().includes('d/a'));
  });

  test('an expired image is not stored', async () => {
    const master = await masterWith('d/a');
    const expiresAt = timeFromMillis(timers.now() + 1e6);
    await master.add('d/x', ['x'], { expiresAt });
    const image = master.images.stored.get('d/x');
    const replica = replicaOf(master, {});
    const late = { ...timers, now: () => timers.now() + 1e7 };
    const ahead = createReplicator(DEFAULT_REPLICATION, {
      images: new MemoryImages(replica.objects, late.now).asStore(),
      objects: replica.objects.asStore(),
      master: master.port,
      log: (line) => replica.log.push(line),
      timers: late,
      schedule: () => ({ stop: () => undefined }),
    });
    running.push(ahead);
    ahead.start();
    await until('live', () => ahead.status().state === 'live');
    expect(image).toBeDefined();
    expect(replica.log).toContain('Ignoring already expired image: d/x');
    expect(ahead.status().failing).toEqual([]);
  });

  test('the master is away: state, lag and error are told, and it is found again', async () => {
    const master = await masterWith('d/a');
    master.up = false;
    const replica = replicaOf(master);
    replica.replicator.start();
    await until('error', () => replica.replicator.status().lastError === 'connection refused');
    expect(replica.log).toContain('Error dialing: fake:6971 connection refused');
    let done = false;
    void replica.replicator.replicated(new AbortController().signal).then(() => {
      done = true;
    });
    await until('lag', () => replica.replicator.status().lagMs > 1000);
    expect(done).toBe(false);
    master.up = true;
    await until('live', () => replica.replicator.status().state === 'live');
    await until('let in', () => done);
    await until('idle', () => replica.replicator.status().lagMs === 0);
  });

  test('waiting for the first pass ends when the caller goes', async () => {
    const master = await masterWith();
    master.up = false;
    const replica = replicaOf(master);
    const gone = new AbortController();
    const waiting = replica.replicator.replicated(gone.signal);
    gone.abort();
    await expect(waiting).rejects.toBeDefined();
  });
});

describe('archiver', () => {
  test('keeps what the master deletes and both versions of what it replaces', async () => {
    const master = await masterWith('d/a', 'd/b');
    const replica = replicaOf(master, { archiveMode: true });
    await live(replica);
    await master.images.remove('d/b');
    await master.images.remove('d/a');
    await master.add('d/a', ['another']);
    await until('replaced', () => replica.names().length === 3);
    const [first, kept] = replica.names();
    expect(first).toBe('d/a');
    expect(kept).toMatch(/^d\/a\.replaced-\d{8}T\d{6}\.\d{9}Z$/);
    expect(replica.images.stored.get(kept as string)?.hashes).toContain(sha512('contents of d/a'));
    expect(replica.images.stored.get('d/a')?.hashes).toContain(sha512('another'));
    master.images.stored.clear();
    master.cut();
    await until('again', () => master.sessions === 2);
    await until('live', () => replica.replicator.status().state === 'live');
    expect(replica.names().length).toBe(3);
    expect(replica.replicator.status().heldDeletions).toEqual([]);
  });
  for (const archiveExpiringImages of [false, true])
    test(`expiring images are ${archiveExpiringImages ? 'stored' : 'left out until they are permanent'}`, async () => {
      const master = await masterWith('d/a');
      await master.add('d/x', ['x'], { expiresAt: timeFromMillis(timers.now() + 1e7) });
      const replica = replicaOf(master, { archiveMode: true, archiveExpiringImages });
      await live(replica);
      expect(replica.names().includes('d/x')).toBe(archiveExpiringImages);
      await master.images.setExpiry('d/x', ZERO_TIME);
      await until('stored', () => replica.images.stored.get('d/x')?.entry.expiresAt === ZERO_TIME);
    });
});

test('an image uploaded here while the list is on its way is neither deleted nor fetched', async () => {
  const master = await masterWith('d/a');
  master.knowsIdentities = true;
  const replica = replicaOf(master);
  await live(replica);
  const injected = encodeImage(imageOf(['contents of d/a'], { createdOn: timeFromMillis(1) }));
  const gate = Promise.withResolvers<void>();
  const listed = Promise.withResolvers<void>();
  master.beforeIdentities = () => {
    listed.resolve();
    return gate.promise;
  };
  master.dial = async () =>
    ({
      addImage: async (name: string) => master.images.add(name, injected),
      close: () => undefined,
    }) as unknown as MasterConnection;
  master.cut();
  await listed.promise;
  await replica.replicator.injections.injectImage('d/new', injected, () =>
    replica.images.add('d/new', injected),
  );
  const sent = master.imagesSent;
  gate.resolve();
  await until('live', () => replica.replicator.status().state === 'live');
  await until('idle', () => replica.replicator.status().queue === 0);
  expect(replica.names()).toEqual(['d/a', 'd/new']);
  expect(replica.images.trashed).toEqual([]);
  expect(master.imagesSent).toBe(sent);
});

test('what a crash of the master has left is no image, and a name that cannot be kept costs no transfer', async () => {
  const master = await masterWith('d/a', 'd/b~', 'd/.hidden');
  const replica = replicaOf(master);
  await live(replica);
  expect(replica.names()).toEqual(['d/a']);
  expect(replica.replicator.status().failing.map(({ name }) => name)).toEqual(['d/.hidden']);
  expect(master.imagesSent).toBe(1);
});

test('filters choose what is replicated', async () => {
  const master = await masterWith('d/a', 'd/b');
  const replica = replicaOf(master, { selects: (name) => name !== 'd/b' });
  await live(replica);
  expect(replica.names()).toEqual(['d/a']);
});

test('a session that fails at once is not tried again at once', async () => {
  const master = await masterWith('d/a');
  const port = {
    ...master.port,
    open: async () => {
      master.sessions++;
      throw new ImageServerError('ACCESS_DENIED', 'access to method denied');
    },
  };
  const objects = new MemoryObjects();
  const replicator = createReplicator(DEFAULT_REPLICATION, {
    images: new MemoryImages(objects).asStore(),
    objects: objects.asStore(),
    master: port,
    log: () => undefined,
    timers: { ...timers, now: () => 0 },
    schedule: (pattern, run) => {
      if (pattern === '* * * * * *') for (let i = 0; i < 100; i++) void run();
      return { stop: () => undefined };
    },
  });
  running.push(replicator);
  replicator.start();
  await until('error', () => replicator.status().lastError !== undefined);
  expect(master.sessions).toBe(1);
});
