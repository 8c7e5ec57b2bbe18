/** Random sequences of what can happen to a master and its replica, against what must be true afterwards. */
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { timeFromMillis, ZERO_TIME } from '../wire/time.ts';
import { FakeMaster } from './master-fixture.ts';
import {
  createReplicator,
  DEFAULT_REPLICATION,
  type ReplicationConfig,
  type Replicator,
} from './replicator.ts';
import { MemoryImages, MemoryObjects } from './store-fixture.ts';
import type { Timers } from './timers.ts';

const RUNS = Number(process.env.MODEL_RUNS ?? 1000);
const SEED = Number(process.env.IMAGESERVER_SEED ?? Date.now() % 1_000_000_000);
/** Waits of the replicator are shortened this much. */
const SPEED = 2000;

class World {
  /** Milliseconds by which `advance` has moved the clock. */
  shift = 0;
  readonly timers: Timers = {
    now: () => Date.now() + this.shift,
    random: () => 0.5,
    after(ms, then) {
      const timer = setTimeout(then, ms / SPEED);
      return () => clearTimeout(timer);
    },
  };
  readonly master = new FakeMaster(this.timers.now);
  readonly objects = new MemoryObjects();
  readonly images = new MemoryImages(this.objects, this.timers.now);
  readonly config: ReplicationConfig;
  replicator: Replicator;
  problem = '';

  constructor(config: Partial<ReplicationConfig>) {
    this.config = { ...DEFAULT_REPLICATION, maximumDeletionFraction: 1, ...config };
    this.replicator = this.start();
    this.images.listeners.add((event) => {
      if (event.kind === 'add') this.checkWhole(event.name);
    });
  }

  start(): Replicator {
    const replicator = createReplicator(this.config, {
      images: this.images.asStore(),
      objects: this.objects.asStore(),
      master: this.master.port,
      log: () => undefined,
      timers: this.timers,
      schedule: () => ({ stop: () => undefined }),
    });
    replicator.start();
    return replicator;
  }

  checkWhole(name: string): void {
    const lacking = this.images.stored.get(name)?.hashes.filter((hash) => this.objects.size(hash) === 0);
    if (lacking?.length) this.problem = `${name} is visible without ${lacking.length} of its objects`;
  }

  async settled(): Promise<void> {
    this.master.up = true;
    const deadline = Date.now() + 60_000;
    // An expired image leaves both sides without a word.
    this.images.expire();
    this.master.images.expire();
    for (;;) {
      const { state, queue, failing } = this.replicator.status();
      if (state === 'live' && queue === 0 && failing.length === 0 && this.sameAsMaster()) return;
      if (Date.now() > deadline) throw new Error(`not converged: ${this.differences()}`);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  picture(images: MemoryImages): string {
    const all = Array.from(
      images.stored.values(),
      ({ entry }) => `${entry.name} ${entry.createdOn.unixNanos} ${entry.expiresAt.unixNanos}`,
    );
    const directories = Array.from(images.directoryGroups, ([name, group]) => `${name}/ ${group}`);
    return [...all, ...directories].sort().join('\n');
  }
  sameAsMaster(): boolean {
    return this.picture(this.images) === this.picture(this.master.images);
  }
  differences(): string {
    return `master:\n${this.picture(this.master.images)}\nreplica:\n${this.picture(this.images)}\n${JSON.stringify(this.replicator.status())}`;
  }
}

type Step = (world: World) => Promise<void> | void;
const named = (name: string, step: Step): Step => Object.assign(step, { [fc.toStringMethod]: () => name });

const name = fc.constantFrom('a', 'b', 'd/a', 'd/b', 'e/f/x');
const directory = fc.constantFrom('d', 'e', 'e/f');
const contents = fc.array(fc.constantFrom('1', '22', '333', '4444', '55555'), { minLength: 1, maxLength: 4 });
const has = (world: World, image: string) => world.master.images.stored.has(image);

const steps: fc.Arbitrary<Step>[] = [
  fc.tuple(name, contents, fc.boolean()).map(([image, data, expires]) =>
    named(`add ${image} ${data}${expires ? ' expiring' : ''}`, async (world) => {
      const slash = image.lastIndexOf('/');
      const parent = slash < 0 ? '.' : image.slice(0, slash);
      if (has(world, image) || !world.master.images.directoryGroups.has(parent)) return;
      const options = expires ? { expiresAt: timeFromMillis(world.timers.now() + 60_000) } : {};
      await world.master.add(image, data, options);
    }),
  ),
  name.map((image) =>
    named(`delete ${image}`, async (world) => {
      if (has(world, image)) await world.master.images.remove(image);
    }),
  ),
  name.map((image) => named(`undelete ${image}`, (world) => void world.master.images.undelete(image))),
  fc.tuple(name, contents).map(([image, data]) =>
    named(`replace ${image} ${data}`, async (world) => {
      if (!has(world, image)) return;
      await world.master.images.remove(image);
      await world.master.add(image, data);
    }),
  ),
  fc.tuple(name, fc.boolean()).map(([image, forEver]) =>
    named(`extend ${image} ${forEver}`, async (world) => {
      const entry = world.master.images.stored.get(image)?.entry;
      if (!entry || entry.expiresAt.unixNanos === ZERO_TIME.unixNanos) return;
      await world.master.images.setExpiry(
        image,
        forEver ? ZERO_TIME : timeFromMillis(world.timers.now() + 120_000),
      );
    }),
  ),
  directory.map((path) =>
    named(`mkdir ${path}`, async (world) => {
      const { directoryGroups } = world.master.images;
      if (!directoryGroups.has(path) && (path !== 'e/f' || directoryGroups.has('e')))
        await world.master.images.makeDirectory(path, '');
    }),
  ),
  fc.tuple(directory, fc.constantFrom('', 'g', 'h')).map(([path, group]) =>
    named(`chown ${path} ${group}`, async (world) => {
      if (world.master.images.directoryGroups.has(path)) await world.master.images.setOwnerGroup(path, group);
    }),
  ),
  fc.constant(
    named('time passes', (world) => {
      world.shift += 90_000;
      world.master.images.expire();
      world.images.expire();
    }),
  ),
  fc.constant(named('collect here', (world) => world.objects.collect(world.images.referenced()))),
  fc.constant(
    named('collect at the master', (world) => world.master.objects.collect(world.master.images.referenced())),
  ),
  fc.constant(named('cut', (world) => world.master.cut())),
  fc.constant(
    named('master goes', (world) => {
      world.master.up = false;
      world.master.cut();
    }),
  ),
  fc.constant(
    named('master comes', (world) => {
      world.master.up = true;
    }),
  ),
  fc.constant(
    named('restart replica', async (world) => {
      await world.replicator.stop();
      world.replicator = world.start();
    }),
  ),
  fc.constant(named('reconcile', (world) => world.replicator.reconcile())),
  fc.nat(3).map((ms) => named(`wait ${ms}`, () => new Promise<void>((resolve) => setTimeout(resolve, ms)))),
];

const sequence = fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 30 });

test(`${RUNS} random sequences, seed ${SEED}: the replica becomes what the master is, nothing incomplete is ever visible`, async () => {
  await fc.assert(
    fc.asyncProperty(sequence, fc.boolean(), async (list, ours) => {
      const world = new World({});
      world.master.knowsIdentities = ours;
      // Work takes time, so that collection and cuts fall into its middle.
      world.master.onObject = () => new Promise((resolve) => setImmediate(resolve));
      try {
        for (const step of list) await step(world);
        await world.settled();
        for (const image of world.images.stored.keys()) world.checkWhole(image);
        expect(world.problem).toBe('');
      } finally {
        await world.replicator.stop();
      }
      expect([...world.objects.leases.values()].filter((count) => count !== 0)).toEqual([]);
    }),
    { numRuns: RUNS, seed: SEED },
  );
}, 600_000);

test('an archiver loses nothing that it has had', async () => {
  await fc.assert(
    fc.asyncProperty(sequence, async (list) => {
      const world = new World({ archiveMode: true });
      const seen = new Set<string>();
      world.images.listeners.add((event) => {
        if (event.kind !== 'add') return;
        const entry = world.images.stored.get(event.name)?.entry;
        // What expires may go.
        if (entry && entry.expiresAt.unixNanos === ZERO_TIME.unixNanos)
          seen.add(String(entry.createdOn.unixNanos));
      });
      try {
        for (const step of list) await step(world);
      } finally {
        await world.replicator.stop();
      }
      const kept = new Set(
        Array.from(world.images.stored.values(), ({ entry }) => String(entry.createdOn.unixNanos)),
      );
      expect([...seen].filter((created) => !kept.has(created))).toEqual([]);
      expect(world.problem).toBe('');
    }),
    { numRuns: Math.ceil(RUNS / 5), seed: SEED },
  );
}, 600_000);
