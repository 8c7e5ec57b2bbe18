/** What is measured: one row each of the table that `server.ts` prints. */
import { sha512 } from '../src/store/stores-fixture.ts';
import { addImage, uploadAll } from './bulk.ts';
import {
  checkImage,
  checkObjects,
  contentOf,
  deleteImage,
  findLatest,
  getObjects,
  listImages,
  makeDirectory,
  replyMessages,
  takeImage,
  tinyImage,
} from './calls.ts';
import type { BenchCertificates, Peer } from './peers.ts';

export interface Row {
  readonly name: string;
  /** What one unit of `work` is shown in: CPU in milliseconds is multiplied by it. */
  readonly scale?: number;
  /** Show how many a second, too. */
  readonly rate?: boolean;
  /** Not measured; called once for each server. */
  prepare?(peer: Peer): Promise<unknown>;
  /** Resolves with how many units were done. `round` counts from 0. */
  work(peer: Peer, round: number): Promise<number>;
}

const MICRO = 1000;
const KIB = 1024;
const MIB = KIB * KIB;
/** Sizes of files as a root file system has them: many small ones, few large. */
const MIXED = [...Array(60).fill(2 * KIB), ...Array(30).fill(16 * KIB), ...Array(9).fill(128 * KIB), 2 * MIB];
const BIG = 256 * MIB;

/** Numbers of contents that no server has seen. */
let fresh = 1_000_000;
const contents = (count: number, size: number) =>
  Array.from({ length: count }, () => contentOf(++fresh, size));

async function times(count: number, work: (index: number) => Promise<unknown>): Promise<number> {
  for (let index = 0; index < count; index++) await work(index);
  return count;
}

const small = contents(5000, 4 * KIB);
const smallHashes = small.map(sha512);
const mixed = MIXED.flatMap((size) => contents(5, size as number));
const mixedHashes = mixed.map(sha512);
const big = contentOf(++fresh, BIG);
const bigHash = sha512(big);
const manyHashes = Array.from({ length: 15_000 }, (_, i) => smallHashes[i % smallHashes.length] as string);

const getBig: Omit<Row, 'name'> = {
  scale: (1 / 1000) * (1024 / 256),
  rate: true,
  prepare: (peer) => uploadAll(peer.client, [big]),
  work: (peer) => times(4, () => getObjects(peer.client, [bigHash])),
};
async function page(peer: Peer, path: string): Promise<void> {
  // The original does not compress; ours would.
  const headers = { 'accept-encoding': 'identity' };
  const response = await fetch(`http://127.0.0.1:${peer.port}${path}`, { headers });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
}

/** Rows for servers that hold images `img.0` … `img.N`, of which those from `keep` on may be deleted. */
export function plainRows(keep: number, names: number): Row[] {
  const messages = new Map<Peer, number>();
  return [
    {
      name: 'GetImage, ms CPU',
      rate: true,
      async prepare(peer) {
        messages.set(peer, await replyMessages(peer.client, 'img.1'));
      },
      work: (peer) => times(30, () => takeImage(peer.client, 'img.1', messages.get(peer) ?? 0)),
    },
    {
      name: `DeleteImage with ${keep} images, ms CPU`,
      work: (peer, round) => times(1, () => deleteImage(peer.client, `img.${keep + round}`)),
    },
    {
      name: 'AddObjects, one of 4 KiB a call, ms CPU',
      work: (peer) => {
        const ones = contents(50, 4 * KIB);
        return times(50, (i) => uploadAll(peer.client, [ones[i] as Uint8Array]));
      },
    },
    {
      name: 'AddObjects, 1,000 of 4 KiB a call, µs CPU each',
      scale: MICRO,
      async work(peer) {
        await uploadAll(peer.client, contents(1000, 4 * KIB));
        await uploadAll(peer.client, contents(1000, 4 * KIB));
        return 2000;
      },
    },
    {
      name: 'AddObjects 256 MiB, CPU s per GiB',
      scale: (1 / 1000) * (1024 / 256),
      rate: true,
      work: (peer) => {
        const one = contentOf(++fresh, BIG);
        return times(1, () => uploadAll(peer.client, [one]));
      },
    },
    {
      name: 'GetObjects, 1,000 of 4 KiB a call, µs CPU each',
      scale: MICRO,
      rate: true,
      async prepare(peer) {
        for (let i = 0; i < 5; i++) await uploadAll(peer.client, small.slice(i * 1000, i * 1000 + 1000));
      },
      async work(peer) {
        await times(10, (i) =>
          getObjects(peer.client, smallHashes.slice((i % 5) * 1000, (i % 5) * 1000 + 1000)),
        );
        return 10_000;
      },
    },
    {
      name: 'GetObjects, 500 of 2 KiB to 2 MiB a call, µs CPU each',
      scale: MICRO,
      rate: true,
      prepare: (peer) => uploadAll(peer.client, mixed),
      work: async (peer) =>
        mixedHashes.length * (await times(10, () => getObjects(peer.client, mixedHashes))),
    },
    { name: 'GetObjects 256 MiB plain, CPU s per GiB', ...getBig },
    {
      name: 'CheckObjects, 15,000 hashes, ms CPU',
      work: (peer) => times(10, () => checkObjects(peer.client, manyHashes)),
    },
    {
      name: 'CheckImage on 64 connections, µs CPU',
      scale: MICRO,
      rate: true,
      async work(peer) {
        const clients = await Promise.all(Array.from({ length: 64 }, () => peer.dial()));
        await Promise.all(clients.map((client) => times(400, () => checkImage(client, 'img.1'))));
        for (const client of clients) client.close();
        return 64 * 400;
      },
    },
    connectRow('connect and call, plain, ms CPU'),
    {
      name: `ListImages, ${names} names, ms CPU`,
      async prepare(peer) {
        await makeDirectory(peer.client, 'many');
        await times(names, (i) => addImage(peer.client, `many/image.${i}`, tinyImage));
      },
      work: (peer) => times(30, () => listImages(peer.client)),
    },
    {
      name: `FindLatestImage, ${names} images, ms CPU`,
      work: (peer) => times(200, () => findLatest(peer.client, 'many')),
    },
    { name: 'status page, ms CPU', work: (peer) => times(10, () => page(peer, '/')) },
    { name: 'page listImage, ms CPU', work: (peer) => times(3, () => page(peer, '/listImage?img.1')) },
  ];
}

function connectRow(name: string, certificates?: BenchCertificates): Row {
  return {
    name,
    work: (peer) =>
      times(200, async () => {
        const client = await peer.dial(certificates?.tls);
        await checkImage(client, 'x');
        client.close();
      }),
  };
}

/** Rows for servers that were started with these certificates. */
export const tlsRows = (kind: string, certificates: BenchCertificates): Row[] => [
  connectRow(`connect and call, TLS ${kind}, ms CPU`, certificates),
  { name: `GetObjects 256 MiB TLS ${kind}, CPU s per GiB`, ...getBig },
];
