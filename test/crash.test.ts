/**
 * The server killed (SIGKILL) again and again while several clients change everything there is: afterwards all that was
 * acknowledged is there and intact, nothing half-done is visible, nothing is left over.
 * For the long series: `CRASH_ROUNDS=100 [CRASH_SEED=n] bun test test/crash.test.ts`.
 */
import { expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SrpcClient } from '../src/srpc/client.ts';
import { sha512 } from '../src/store/stores-fixture.ts';
import { Directory, type Image } from '../src/wire/messages/image.ts';
import { GetImageRequest, GetImageResponse } from '../src/wire/messages/imageserver.ts';
import { Ledger, randomOf, runClient, trashNames } from './crash-clients.ts';
import { connectTo, type Lab, put, start, withLab } from './crash-lab.ts';
import type { TestServer } from './server.ts';

const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 6);
const SEED = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 1e6));
const CLIENTS = 4;

async function listDirectories(client: SrpcClient): Promise<Map<string, string>> {
  const channel = await client.open('ImageServer.ListDirectories');
  const found = new Map<string, string>();
  for (;;) {
    const directory = await channel.receive(Directory);
    if (!directory?.Name) break;
    found.set(directory.Name, directory.Metadata.OwnerGroup);
  }
  channel.end();
  return found;
}

async function listImages(client: SrpcClient): Promise<string[]> {
  const channel = await client.open('ImageServer.ListImages');
  const names: string[] = [];
  for (let line = await channel.readLine(); line !== ''; line = await channel.readLine()) names.push(line);
  channel.end();
  return names;
}

const sameImage = (left: Image | undefined, right: Image | undefined) => Bun.deepEquals(left, right);
const objectFile = (root: string, hash: string) =>
  join(root, 'objects', hash.slice(0, 2), hash.slice(2, 4), hash.slice(4));

function* objectsOf(image: Image): Iterable<string> {
  for (const inode of image.FileSystem?.InodeTable?.values() ?? [])
    if (inode?.Kind === 'regular' && inode.Size > 0n) yield inode.Hash;
}

/** Compares what a server has with the ledger, and takes over what turned out to be the case. */
async function compare(lab: Lab, server: TestServer, ledger: Ledger, collected: boolean): Promise<void> {
  expect(
    server
      .stderr()
      .split('\n')
      .filter((line) => / Damaged | Error /.test(line)),
  ).toEqual([]);
  const client = await connectTo(lab, server);
  try {
    const rehashed = new Set<string>();
    const intact = (hash: string) => {
      if (rehashed.has(hash)) return;
      expect(sha512(readFileSync(objectFile(lab.root, hash)))).toBe(hash);
      rehashed.add(hash);
    };
    const names = await listImages(client);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !ledger.images.has(name))).toEqual([]);
    for (const [name, possible] of ledger.images) {
      const { Image: read } = await client.call('ImageServer.GetImage', GetImageRequest, GetImageResponse, {
        ImageName: name,
        IgnoreFilesystem: false,
        IgnoreFilesystemIfExpiring: false,
        Timeout: 0n,
      });
      const image = read ?? undefined;
      if (![...possible].some((one) => sameImage(one, image)))
        expect({ name, image }).toEqual({ name, image: [...possible][0] });
      expect(names.includes(name)).toBe(image !== undefined);
      for (const hash of image ? objectsOf(image) : []) intact(hash);
      ledger.images.set(name, new Set([image]));
    }
    if (collected) ledger.objects.clear();
    for (const hash of ledger.objects) intact(hash);
    const directories = await listDirectories(client);
    for (const [name, possible] of ledger.directories) {
      expect([name, possible.has(directories.get(name))]).toEqual([name, true]);
      ledger.directories.set(name, new Set([directories.get(name)]));
    }
    const trash = await trashNames(client);
    for (const name of ledger.trash.keys()) expect(trash).toContain(name);
    for (const part of ['images', 'objects']) expect(readdirSync(join(lab.root, part, '.tmp'))).toEqual([]);
    const files = readdirSync(lab.root, { recursive: true }) as string[];
    expect(files.filter((file) => file.endsWith('~'))).toEqual([]);
    expect(readdirSync(join(lab.root, 'images', '.trash')).length).toBe(trash.length * 2);
    for (const part of ['images', 'objects'])
      if (existsSync(join(lab.root, part, '.quarantine')))
        expect(readdirSync(join(lab.root, part, '.quarantine'))).toEqual([]);
  } finally {
    client.close();
  }
}

async function oneRound(lab: Lab, ledger: Ledger, round: number, collect: boolean): Promise<void> {
  const random = randomOf(SEED * 1000 + round);
  const server = await start(lab, { grace: collect ? '1s' : '10m' });
  // All connected first: a client that is cut off in a handshake cannot tell why.
  const connections = await Promise.all(Array.from({ length: CLIENTS }, () => connectTo(lab, server)));
  const clients = connections.map((client, index) =>
    runClient({
      name: `c${index}`,
      seed: SEED * 1_000_000 + round * 100 + index,
      ledger,
      client,
      put: (hash, bytes) => put(lab, server, hash, bytes),
      groups: lab.groups,
      collect,
    }),
  );
  const killed = Bun.sleep(100 + random(900)).then(() => server.stop('SIGKILL'));
  await Promise.all([...clients, killed]);
  const again = await start(lab);
  try {
    await compare(lab, again, ledger, collect);
  } finally {
    // Half of the time the next start follows another kill.
    await again.stop(random(2) ? 'SIGKILL' : 'SIGTERM');
  }
}

test.each([false, true])(
  `seed ${SEED}: ${ROUNDS} kills, garbage collected meanwhile: %p`,
  (collect) =>
    withLab(async (lab) => {
      const ledger = new Ledger();
      for (let round = 1; round <= ROUNDS; round++) {
        await oneRound(lab, ledger, round, collect);
        if (process.env.CRASH_ROUNDS)
          console.log(`round ${round}: ${ledger.acknowledged} acknowledged, ${ledger.images.size} images`);
      }
      expect(ledger.acknowledged).toBeGreaterThan(ROUNDS);
    }),
  60_000 + ROUNDS * 30_000,
);
