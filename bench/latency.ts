/**
 * What a small call waits while the server does something large:
 * `bun bench/latency.ts [-images=100] [-only=WORDS] [-scratch=DIRECTORY] [-other=COMMAND]`; COMMAND as in `server.ts`.
 * A process of its own makes CheckImage calls on one connection all the time. Times are given without what the server's
 * first thread and the caller waited for a core, which is the machine's affair, and on the clock; of another server with
 * more threads only the clock counts.
 */
import { createInterface } from 'node:readline';
import { connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import { sha512 } from '../src/store/stores-fixture.ts';
import * as m from '../src/wire/messages/imageserver.ts';
import { addImage, uploadAll } from './bulk.ts';
import { checkImage, contentOf, deleteImage, getObjects } from './calls.ts';
import { CallTimes } from './core-waits.ts';
import { imageSeries } from './image-series.ts';
import { Peer } from './peers.ts';

const option = (name: string, standard: string) =>
  process.argv.find((arg) => arg.startsWith(`-${name}=`))?.slice(name.length + 2) ?? standard;
const IMAGES = Number(option('images', '100'));
const INODES = 20_000;
const OTHER = option('other', '');
const SCRATCH = option('scratch', '');
const MORE = 10;
const BIG = 256 * 1024 * 1024;
const PAUSE_MS = 1;

/** The process that makes the small calls: for each line that comes in it tells of the calls since the one before. */
async function probe(port: number, pid: number): Promise<void> {
  const client = await connectSrpc({ host: '127.0.0.1', port });
  let times = new CallTimes(pid);
  createInterface(process.stdin)
    .on('line', () => {
      console.log(`${times.count} calls: ${times}`);
      times = new CallTimes(pid);
    })
    .on('close', () => process.exit(0));
  for (;;) {
    await times.time(() => checkImage(client, 'img.0'));
    await Bun.sleep(PAUSE_MS);
  }
}

interface Prober {
  /** What was measured since it was last asked. */
  ask(): Promise<string>;
  stop(): void;
}

function startProber({ port, pid }: Peer): Prober {
  const child = Bun.spawn([process.execPath, import.meta.path, `-probe=${port}`, `-pid=${pid}`], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const reader = child.stdout.getReader();
  return {
    async ask() {
      child.stdin.write('\n');
      child.stdin.flush();
      let line = '';
      while (!line.endsWith('\n')) {
        const { done, value } = await reader.read();
        if (done) throw new Error('the process that makes the calls has ended');
        line += Buffer.from(value).toString();
      }
      return line.trim();
    },
    stop: () => child.kill(),
  };
}

interface Load {
  readonly name: string;
  /** Not measured. */
  prepare?(client: SrpcClient): Promise<unknown>;
  work(client: SrpcClient, peer: Peer): Promise<unknown>;
}

const series = imageSeries(INODES);
const big = contentOf(1, BIG);
const another = contentOf(2, BIG);
let fresh = 1_000_000;
function* small(count: number): Iterable<Uint8Array> {
  for (let index = 0; index < count; index++) yield contentOf(++fresh, 4096);
}

async function each(from: number, count: number, work: (number: number) => Promise<unknown>): Promise<void> {
  for (let number = from; number < from + count; number++) await work(number);
}

/** Through to the end, without keeping it. */
async function read(url: string): Promise<void> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  for await (const _ of response.body ?? []);
}

const LOADS: readonly Load[] = [
  { name: 'peace', work: () => Bun.sleep(3000) },
  {
    name: `${MORE} images are added`,
    prepare: (client) => each(IMAGES, MORE, (number) => uploadAll(client, series.contents(number))),
    work: (client) => each(IMAGES, MORE, (number) => addImage(client, `img.${number}`, series.image(number))),
  },
  {
    name: `${MORE} images are deleted`,
    work: (client) => each(IMAGES, MORE, (number) => deleteImage(client, `img.${number}`)),
  },
  { name: '20,000 objects of 4 KiB are uploaded', work: (client) => uploadAll(client, small(20_000)) },
  { name: '256 MiB are uploaded, twice', work: (client) => uploadAll(client, [big, another]) },
  {
    name: '256 MiB are downloaded, four times',
    work: (client) => each(0, 4, () => getObjects(client, [sha512(big)])),
  },
  {
    name: '50,000 objects are collected',
    prepare: (client) => uploadAll(client, small(50_000)),
    work: (client) =>
      client.call(
        'ImageServer.DeleteUnreferencedObjects',
        m.DeleteUnreferencedObjectsRequest,
        m.DeleteUnreferencedObjectsResponse,
        { Percentage: 100, Bytes: 0n },
      ),
  },
  {
    name: 'pages of 10 images are read',
    work: (_, { port }) => each(0, 10, (number) => read(`http://127.0.0.1:${port}/listImage?img.${number}`)),
  },
];

async function measure(peer: Peer): Promise<void> {
  await peer.start();
  for (let number = 0; number < IMAGES; number++) {
    await uploadAll(peer.client, series.contents(number));
    await addImage(peer.client, `img.${number}`, series.image(number));
  }
  const prober = startProber(peer);
  const rows = LOADS.filter(({ name }) => name.includes(option('only', '')));
  for (const { name, prepare, work } of rows) {
    await prepare?.(peer.client);
    // What was written is moved to its place a little later.
    await Bun.sleep(1500);
    await prober.ask();
    const before = peer.cpu();
    await work(peer.client, peer);
    const cpu = (peer.cpu() - before) / 1000;
    console.log(`${peer.name}: ${name}: ${cpu.toFixed(2)} CPU s; ${await prober.ask()}`);
  }
  prober.stop();
}

const probed = option('probe', '');
if (probed) await probe(Number(probed), Number(option('pid', '')));
console.log(`CheckImage with ${IMAGES} images of ${INODES} inodes, while ...`);
const peers = [new Peer('ours', '', SCRATCH), ...(OTHER ? [new Peer('other', OTHER, SCRATCH)] : [])];
for (const peer of peers)
  try {
    await measure(peer);
  } finally {
    await peer.remove();
  }
process.exit(0);
