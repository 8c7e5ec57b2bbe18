/**
 * Memory of the server while it does what takes the most: objects of gigabytes in and out, and a fleet's images served
 * to many at once. `bun bench/memory.ts [--size MiB] [--images N] [--inodes N] [--peer DIR] [--only WORDS]`; `--peer`: a
 * directory with another `objecttool`, to upload and download with that too. Prints the highest resident size (VmHWM)
 * of each step, MiB. Each step that looks into trees has a server of its own, just started.
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectSrpc } from '../src/srpc/client.ts';
import {
  AddObjectRequest,
  AddObjectResponse,
  GetObjectsRequest,
  GetObjectsResponse,
} from '../src/wire/messages/objectserver.ts';
import { programCommand, startServer } from '../test/server.ts';
import { addImage, getImage, swallowImages, uploadAll, withCounter } from './bulk.ts';
import { imageSeries } from './image-series.ts';
import { readers, slowReader, TREE_REQUESTS } from './readers.ts';
import { peak, resident } from './resident.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '4096' },
    images: { type: 'string', default: '300' },
    inodes: { type: 'string', default: '20000' },
    peer: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});
const MIB = 1024 * 1024;
const FRESH = true;
const size = Number(values.size) * MIB;
const scratch = mkdtempSync(join(tmpdir(), 'bench-memory-'));
const directory = join(scratch, 'server');
const start = () => startServer({ directory, args: ['-minFreeBytes=1'] });
let server = await start();
const host = '127.0.0.1';
const address = () => ({ host, port: server.port });

/** `fresh`: by a server that has just been started, so that it does not carry over what the steps before have left. */
async function step(name: string, work: () => Promise<unknown>, fresh = false): Promise<void> {
  // The images are needed by the others.
  if (!name.includes(values.only) && !name.includes('images of')) return;
  if (fresh) {
    await server.stop();
    server = await start();
  }
  const { pid } = server;
  peak(pid);
  const started = performance.now();
  const said = await work();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `${name.padEnd(58)} ${String(peak(pid)).padStart(5)} MiB, then ${String(resident(pid)).padStart(4)}; ${seconds} s${said ? `; ${said}` : ''}`,
  );
}

/** A file whose contents are not the same as those of any other. */
function makeFile(name: string): string {
  const path = join(scratch, name);
  const fd = openSync(path, 'w');
  const block = Buffer.alloc(MIB, `${name} ${process.pid} `);
  for (let at = 0; at < size; at += MIB) {
    block.writeDoubleLE(at, 0);
    writeSync(fd, block);
  }
  closeSync(fd);
  return path;
}

async function run(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')} failed`);
  return command[0] === 'sha512sum' ? text.trim() : '';
}

async function uploadBySrpc(path: string): Promise<string> {
  const client = await connectSrpc(address());
  const fd = openSync(path, 'r');
  try {
    const channel = await client.open('ObjectServer.AddObjects');
    await channel.send(AddObjectRequest, { Length: BigInt(size), ExpectedHash: null });
    await channel.sendFile({ fd, size });
    await channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: null });
    await channel.flush();
    const answer = await channel.receive(AddObjectResponse);
    if (!answer?.Added) throw new Error(answer?.ErrorString ?? 'EOF');
    return answer.Hash;
  } finally {
    closeSync(fd);
    client.close();
  }
}

async function downloadBySrpc(hash: string): Promise<void> {
  const client = await connectSrpc(address());
  const channel = await client.open('ObjectServer.GetObjects');
  await channel.send(GetObjectsRequest, { Exclusive: false, Hashes: [hash] });
  await channel.flush();
  const reply = await channel.receive(GetObjectsResponse);
  const hasher = new Bun.CryptoHasher('sha512');
  for await (const chunk of channel.bytes(Number(reply?.ObjectSizes[0] ?? 0))) hasher.update(chunk);
  client.close();
  if (hasher.digest('hex') !== hash) throw new Error('other contents came back');
}

/** One after the other, so that there is never more than two on the disk. */
async function bigObjects(): Promise<void> {
  const none = join(scratch, 'no-certificates');
  mkdirSync(none);
  let file = makeFile('srpc');
  let hash = '';
  await step(`${values.size} MiB in by SRPC`, async () => {
    hash = await uploadBySrpc(file);
  });
  await step(`${values.size} MiB in again, the same`, () => uploadAgain(file));
  await step(`${values.size} MiB out by SRPC`, () => downloadBySrpc(hash));
  await step(`${values.size} MiB out by SRPC, four at once`, () =>
    Promise.all([1, 2, 3, 4].map(() => downloadBySrpc(hash))),
  );
  await step(`${values.size} MiB out by HTTP`, () =>
    run(['curl', '-sf', '-o', '/dev/null', `${server.url}/objects/${hash}`]),
  );
  rmSync(file);
  file = makeFile('http');
  hash = (await run(['sha512sum', file])).split(' ')[0] as string;
  await step(`${values.size} MiB in by HTTP`, () =>
    run(['curl', '-sf', '-T', file, `${server.url}/objects/${hash}`]),
  );
  rmSync(file);
  const tools: [string, string[]][] = [['our objecttool', programCommand('objecttool')]];
  if (values.peer) tools.push(['the other objecttool', [join(values.peer, 'objecttool')]]);
  for (const [name, command] of tools) {
    const flags = [
      `-certDirectory=${none}`,
      `-objectServerHostname=${host}`,
      `-objectServerPortNum=${server.port}`,
    ];
    file = makeFile(name);
    hash = (await run(['sha512sum', file])).split(' ')[0] as string;
    await step(`${values.size} MiB in by ${name}`, () => run([...command, ...flags, 'add', file]));
    rmSync(file);
    await step(`${values.size} MiB out by ${name}`, () =>
      run([...command, ...flags, 'get', hash, join(scratch, 'out')]),
    );
    rmSync(join(scratch, `out.${hash}`));
  }
}

async function uploadAgain(path: string): Promise<void> {
  await uploadBySrpc(path).then(
    () => {
      throw new Error('it should have been here already');
    },
    (thrown: Error) => {
      if (thrown.message !== '') throw thrown;
    },
  );
}

async function fleet(): Promise<void> {
  const count = Number(values.images);
  const series = imageSeries(Number(values.inodes));
  const names = Array.from({ length: count }, (_, index) => `fleet.${index}`);
  const client = await connectSrpc(address());
  await step(`${count} images of ${values.inodes} inodes in, with their objects`, async () => {
    let objects = 0;
    for (const [index, name] of names.entries()) {
      objects += await uploadAll(client, series.contents(index));
      await addImage(client, name, series.image(index));
    }
    return `${objects} objects`;
  });
  const sizes = new Map<string, number>();
  await step('each image once', async () => {
    await withCounter(address(), async (through, received) => {
      const counted = await connectSrpc(through);
      for (const name of names) {
        const before = received();
        await getImage(counted, name);
        sizes.set(name, received() - before);
      }
      counted.close();
    });
  });
  for (const connections of [4, 16, 64])
    await step(`each image to ${connections} connections`, async () => {
      const bytes = await Promise.all(
        Array.from({ length: connections }, (_, index) => {
          const from = Math.floor((index * count) / connections);
          return swallowImages(address(), [...names.slice(from), ...names.slice(0, from)], sizes);
        }),
      );
      return `${Math.round(bytes.reduce((a, b) => a + b, 0) / MIB)} MiB`;
    });
  client.close();
  for (const [what, request] of TREE_REQUESTS)
    for (const at of [1, 4, 16])
      await step(
        `${what}, each once, ${at} at once`,
        async () => {
          const bytes = await readers(
            server.url,
            what.includes('tar') ? names.slice(0, 40) : names,
            at,
            request,
          );
          return `${Math.round(bytes / MIB)} MiB`;
        },
        FRESH,
      );
  for (const [what, path] of [
    ['page listImage', (name: string) => `/listImage?${name}`],
    ['image as JSON', (name: string) => `/images/${name}`],
    ['image as tar', (name: string) => `/images/${name}.tar`],
  ] as const)
    await step(
      `${what}, 64 slow readers of different images, and a fast one`,
      async () => {
        const stop = new AbortController();
        const slow = names
          .slice(0, 64)
          .map((name) => slowReader(server.port, path(name), 200_000, stop.signal));
        const rounds = names.slice(-5);
        const started = performance.now();
        for (let round = 0; round < 4; round++)
          await readers(server.url, rounds, 1, () => new Request(`http://x${path(rounds[round] as string)}`));
        const each = (performance.now() - started) / (4 * rounds.length);
        await Bun.sleep(2000);
        stop.abort();
        const bytes = await Promise.all(slow);
        return `${each.toFixed(0)} ms for the fast one; ${Math.round(Math.min(...bytes) / 1024)} KiB or more for each slow one`;
      },
      FRESH,
    );
}

console.log(`after the start ${resident(server.pid)} MiB`);
try {
  if (size > 0) await bigObjects();
  if (Number(values.images) > 0) await fleet();
} finally {
  rmSync(scratch, { recursive: true, force: true });
  await server[Symbol.asyncDispose]();
}
process.exit(0);
