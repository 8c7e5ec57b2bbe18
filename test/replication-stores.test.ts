/**
 * Random sequences on real directories: a master and its replica share a process but nothing else. After each sequence
 * the two must be equal, every object of every image (those in the trash too) must be there with the right bytes, and
 * collection must never have taken anything that was needed.
 */
import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { MasterLink, MasterPort } from '../src/replication/master-link.ts';
import { createReplicator, DEFAULT_REPLICATION, type Replicator } from '../src/replication/replicator.ts';
import type { DirectoryImageStore } from '../src/store/image-store.ts';
import { openStores } from '../src/store/open.ts';
import type { CatalogueEvent, ObjectStore, ObjectUpload, Stores } from '../src/store/types.ts';
import { encodeImage, scanImage } from '../src/wire/encoded-image.ts';
import { type ImageUpdate, Operation } from '../src/wire/messages/imageserver.ts';
import { isZeroTime, timeFromMillis, ZERO_TIME } from '../src/wire/time.ts';
import { imageOf, sha512 } from './replication-lab.ts';

const RUNS = Number(process.env.IMAGESERVER_SEQUENCES ?? 60);
const SEED = Number(process.env.IMAGESERVER_SEED ?? Date.now() % 1_000_000_000);
const START = 1_800_000_000_000;

const updateOf = (event: CatalogueEvent): ImageUpdate =>
  event.kind === 'mkdir'
    ? { Name: '', Directory: event.directory, Operation: Operation.MakeDirectory }
    : {
        Name: event.name,
        Directory: null,
        Operation: {
          add: Operation.AddImage,
          delete: Operation.DeleteImage,
          rmdir: Operation.DeleteDirectory,
        }[event.kind],
      };

function contentsOf(objects: ObjectStore, hash: string): Buffer {
  const reader = objects.open(hash);
  try {
    const data = Buffer.alloc(reader.size);
    readSync(reader.fd, data, 0, data.length, 0);
    return data;
  } finally {
    reader.close();
  }
}

async function hashesOf(bytes: Uint8Array): Promise<string[]> {
  const { hashes, sizes } = await scanImage(bytes);
  return Array.from(sizes, (_, index) =>
    Buffer.from(hashes.subarray(index * 64, index * 64 + 64)).toString('hex'),
  );
}

/** From the trash, unless its time is over. */
async function undelete({ images }: Pick<Stores, 'images'>, id: string): Promise<void> {
  await images.undelete(id).catch((thrown: Error) => {
    if (!thrown.message.endsWith('has expired')) throw thrown;
  });
}

interface Upload {
  readonly lease: ObjectUpload;
  readonly name: string;
  readonly data: readonly Buffer[];
}

class World {
  readonly root = mkdtempSync(join(tmpdir(), 'imageserver-model-'));
  now = START;
  master!: Stores;
  replica!: Stores;
  replicator!: Replicator;
  up = true;
  /** Uploads whose image comes later. */
  readonly uploads: Upload[] = [];
  /** Collections that run beside the steps that follow. */
  readonly beside: Promise<unknown>[] = [];
  #created = 0;
  readonly #ends = new Set<() => void>();

  async open(side: 'm' | 'r'): Promise<Stores> {
    const directories = ['img', 'obj'].map((name) => join(this.root, side, name)) as [string, string];
    for (const directory of directories) mkdirSync(directory, { recursive: true });
    const stores = await openStores({
      imageDirectory: directories[0],
      objectDirectory: directories[1],
      now: () => this.now,
      objectGraceMs: 0,
      trashGraceMs: 86_400_000,
      minFreeBytes: 0,
      startPercent: 99,
      scrubBytesPerSecond: 0,
    });
    await stores.ready;
    return stores;
  }

  async start(): Promise<void> {
    this.master = await this.open('m');
    this.replica = await this.open('r');
    this.follow();
  }

  follow(): void {
    this.replicator = createReplicator(
      { ...DEFAULT_REPLICATION, maximumDeletionFraction: 1 },
      {
        images: this.replica.images,
        objects: this.replica.objects,
        master: this.port,
        log: () => undefined,
        timers: {
          now: () => this.now,
          random: () => 0.5,
          after(ms, then) {
            const timer = setTimeout(then, ms / 500);
            return () => clearTimeout(timer);
          },
        },
        schedule: () => ({ stop: () => undefined }),
      },
    );
    this.replicator.start();
  }

  cut(): void {
    for (const end of this.#ends) end();
    this.#ends.clear();
  }

  readonly port: MasterPort = {
    address: 'model',
    dial: () => Promise.reject(new Error('not in this test')),
    clockSkew: async () => undefined,
    open: async () => {
      if (!this.up) throw new Error('down');
      return this.#link();
    },
  };

  #link(): MasterLink {
    const { images, objects } = this.master;
    let open = true;
    let wake: () => void = () => undefined;
    const close = () => {
      open = false;
      wake();
    };
    const check = () => {
      if (!open) throw new Error('cut');
    };
    this.#ends.add(close);
    return {
      close,
      async *updates(signal) {
        signal.addEventListener('abort', close, { once: true });
        const events: ImageUpdate[] = [];
        const unsubscribe = images.subscribe((event) => {
          events.push(updateOf(event));
          wake();
        });
        try {
          const names = [...images.names()];
          for (const directory of images.directories())
            yield { Name: '', Directory: directory, Operation: Operation.MakeDirectory };
          for (const Name of names) yield { Name, Directory: null, Operation: Operation.AddImage };
          yield { Name: '', Directory: null, Operation: Operation.AddImage };
          for (;;) {
            for (const event of events.splice(0)) yield event;
            if (!open) return;
            if (events.length === 0)
              await new Promise<void>((resolve) => {
                wake = resolve;
              });
          }
        } finally {
          unsubscribe();
        }
      },
      identities: async () => undefined,
      async header(name) {
        check();
        return images.has(name) ? images.header(name) : undefined;
      },
      async image(name) {
        check();
        return images.has(name) ? { bytes: (await images.read(name)).bytes } : undefined;
      },
      async objects(hashes, take) {
        check();
        const sizes = objects.sizes(hashes);
        const missing = sizes.flatMap((size, index) => (size ? [] : [index]));
        if (missing.length > 0) return missing;
        for (const [index, hash] of hashes.entries()) {
          await new Promise((resolve) => setImmediate(resolve));
          check();
          const data = contentsOf(objects, hash);
          await take(index, data.length, data);
        }
        return [];
      },
    };
  }

  async add(name: string, contents: readonly string[], expires: boolean): Promise<void> {
    const upload = await this.begin(name, contents);
    await this.finish(upload, expires);
  }

  /** First half of adding an image: its objects. */
  async begin(name: string, contents: readonly string[]): Promise<Upload> {
    const lease = this.master.objects.upload();
    const data = contents.map((one) => Buffer.from(one));
    for (const one of data) await lease.put({ length: one.length, expected: undefined, data: one });
    await lease.commit();
    return { lease, name, data };
  }

  /** Second half: fails if collection has taken an object meanwhile. */
  async finish({ lease, name, data }: Upload, expires: boolean): Promise<void> {
    const image = imageOf(data, expires ? timeFromMillis(this.now + 60_000) : ZERO_TIME);
    await this.master.images.add(
      name,
      encodeImage({ ...image, CreatedOn: timeFromMillis(START + this.#created++), CreatedBy: 'u' }),
    );
    lease.close();
  }

  /** What is due at the new time expires on both sides. */
  async advance(ms: number): Promise<void> {
    this.now += ms;
    for (const { images } of [this.master, this.replica]) {
      const store = images as DirectoryImageStore;
      store.alarm.check();
      await store.settled();
    }
  }

  picture({ images }: Stores): string {
    const all = Array.from(
      images.entries(),
      (entry) => `${entry.name} ${entry.createdOn.unixNanos} ${entry.expiresAt.unixNanos}`,
    );
    const directories = images.directories().map(({ Name, Metadata }) => `${Name}/ ${Metadata.OwnerGroup}`);
    return [...all, ...directories].sort().join('\n');
  }

  async settled(): Promise<void> {
    this.up = true;
    const deadline = Date.now() + 60_000;
    for (;;) {
      const { state, queue, failing } = this.replicator.status();
      const same = this.picture(this.master) === this.picture(this.replica);
      if (state === 'live' && queue === 0 && failing.length === 0 && same) return;
      if (Date.now() > deadline)
        throw new Error(
          `not converged:\n${this.picture(this.master)}\n---\n${this.picture(this.replica)}\n${JSON.stringify(this.replicator.status())}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Everything is whole, on both sides, also what the trash still holds. */
  async verify(): Promise<void> {
    for (const stores of [this.master, this.replica]) {
      await stores.objects.collect(() => true);
      for (const { id, name } of stores.images.trash())
        if (!stores.images.has(name)) await undelete(stores, id);
      for (const name of stores.images.names())
        for (const hash of await hashesOf((await stores.images.read(name)).bytes))
          expect(sha512(contentsOf(stores.objects, hash))).toBe(hash);
      expect([...stores.objects.missing()]).toEqual([]);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.beside);
    await this.replicator.stop();
    await Promise.all([this.master.close(), this.replica.close()]);
    rmSync(this.root, { recursive: true, force: true });
  }
}

type Step = (world: World) => Promise<unknown> | unknown;
const named = (name: string, step: Step): Step => Object.assign(step, { [fc.toStringMethod]: () => name });
const name = fc.constantFrom('a', 'b', 'd/a', 'd/b');
const contents = fc.array(fc.constantFrom('1', '22', '333', '4444', '55555'), { minLength: 1, maxLength: 4 });
const directoryOf = (image: string) => (image.includes('/') ? 'd' : '.');

const adding: fc.Arbitrary<Step> = fc.tuple(name, contents, fc.boolean()).map(([image, data, expires]) =>
  named(`add ${image} ${data} ${expires}`, async (world) => {
    const { images } = world.master;
    if (!images.hasDirectory(directoryOf(image))) await images.makeDirectory('d');
    if (!images.has(image)) await world.add(image, data, expires);
  }),
);
const others: fc.Arbitrary<Step>[] = [
  fc.tuple(name, contents).map(([image, data]) =>
    named(`replace ${image} ${data}`, async (world) => {
      if (!world.master.images.has(image)) return;
      await world.master.images.remove(image);
      await world.add(image, data, false);
    }),
  ),
  name.map((image) =>
    named(`delete ${image}`, (world) => world.master.images.has(image) && world.master.images.remove(image)),
  ),
  name.map((image) =>
    named(`undelete ${image}`, async ({ master: { images } }) => {
      const entry = images.trash().findLast((one) => one.name === image);
      if (entry && !images.has(image) && images.hasDirectory(directoryOf(image)))
        await undelete({ images }, entry.id);
    }),
  ),
  name.map((image) =>
    named(`purge ${image}`, async ({ master, replica }) => {
      for (const { images } of [master, replica])
        for (const entry of images.trash()) if (entry.name === image) await images.purge(entry.id);
    }),
  ),
  name.map((image) =>
    named(`extend ${image}`, async (world) => {
      const entry = world.master.images.get(image);
      if (entry && !isZeroTime(entry.expiresAt))
        await world.master.images.setExpiry(image, timeFromMillis(world.now + 120_000));
    }),
  ),
  fc.constant(
    named('mkdir d', ({ master: { images } }) => images.hasDirectory('d') || images.makeDirectory('d')),
  ),
  fc
    .constantFrom('', 'g', 'h')
    .map((group) =>
      named(
        `chown d ${group}`,
        ({ master: { images } }) => images.hasDirectory('d') && images.setOwnerGroup('d', group),
      ),
    ),
  fc.constant(named('collect there', ({ master }) => master.objects.collect(() => true))),
  fc.constant(named('collect here', ({ replica }) => replica.objects.collect(() => true))),
  fc.constantFrom('master' as const, 'replica' as const).map((side) =>
    named(`collect at the ${side} beside what follows`, (world) => {
      world.beside.push(world[side].objects.collect(() => true));
    }),
  ),
  fc
    .tuple(name, contents)
    .map(([image, data]) =>
      named(`begin to upload ${image} ${data}`, async (world) =>
        world.uploads.push(await world.begin(image, data)),
      ),
    ),
  fc.constant(
    named('finish an upload', async (world) => {
      const upload = world.uploads.shift();
      if (!upload) return;
      const { images } = world.master;
      const possible = images.hasDirectory(directoryOf(upload.name)) && !images.has(upload.name);
      if (possible) await world.finish(upload, false);
      else upload.lease.close();
    }),
  ),
  fc.constantFrom(1000, 59_999, 61_000).map((ms) => named(`${ms} ms pass`, (world) => world.advance(ms))),
  fc.constant(named('cut', (world) => world.cut())),
  fc.constant(
    named('master goes', (world) => {
      world.up = false;
      world.cut();
    }),
  ),
  fc.constant(
    named('master comes', (world) => {
      world.up = true;
    }),
  ),
  fc.constant(
    named('restart replica', async (world) => {
      await world.replicator.stop();
      await Promise.all(world.beside);
      await world.replica.close();
      world.replica = await world.open('r');
      world.follow();
    }),
  ),
  fc.constant(
    named('restart master', async (world) => {
      world.up = false;
      world.cut();
      // Uploads end with their server.
      for (const { lease } of world.uploads.splice(0)) lease.close();
      await Promise.all(world.beside);
      await world.master.close();
      world.master = await world.open('m');
      world.up = true;
    }),
  ),
  fc.nat(4).map((ms) => named(`wait ${ms}`, () => new Promise((resolve) => setTimeout(resolve, ms)))),
];

test(
  `${RUNS} random sequences on real directories, seed ${SEED}`,
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 8, arbitrary: adding }, ...others), { minLength: 5, maxLength: 30 }),
        async (list) => {
          const world = new World();
          await world.start();
          try {
            for (const step of list) await step(world);
            for (const upload of world.uploads.splice(0)) upload.lease.close();
            await world.settled();
            await world.replicator.stop();
            await world.verify();
          } finally {
            await world.close();
          }
        },
      ),
      { numRuns: RUNS, seed: SEED },
    );
  },
  60_000 + RUNS * 2_000,
);
