/**
 * What calls cost on the server: `bun bench/srpc.ts [--port P --pid PID] [--cert NAME.cert --key NAME.key] [--size MiB] [--only WORDS]`.
 * Without arguments it starts our own daemon. Give the port and the process of any other server that speaks the protocol
 * to compare: CPU is that of the server's process (user and system), taken from the system.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type ClientTlsOptions, connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import { GobEncoder } from '../src/wire/gob/encoder.ts';
import { CheckImageRequest, CheckImageResponse } from '../src/wire/messages/imageserver.ts';
import {
  AddObjectRequest,
  AddObjectResponse,
  GetObjectsRequest,
  GetObjectsResponse,
} from '../src/wire/messages/objectserver.ts';
import { startServer } from '../test/server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    pid: { type: 'string' },
    cert: { type: 'string' },
    key: { type: 'string' },
    size: { type: 'string', default: '256' },
    only: { type: 'string', default: '' },
  },
});

const own = values.port ? undefined : await startServer();
const port = own?.port ?? Number(values.port);
const pid = own?.pid ?? Number(values.pid);
const tls: ClientTlsOptions | undefined =
  values.cert && values.key
    ? { pairs: [{ cert: readFileSync(values.cert, 'utf8'), key: readFileSync(values.key, 'utf8') }] }
    : undefined;
const host = '127.0.0.1';
const TICKS_A_SECOND = 100;
const ROUNDS = 3;

/** CPU seconds that the server has used. */
function cpu(): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/** Runs `work` (which says how much it did) a few times and prints the median CPU for each unit. */
async function measure(
  name: string,
  unit: string,
  scale: number,
  work: () => Promise<number>,
): Promise<void> {
  if (!name.includes(values.only)) return;
  const results: { cpu: number; rate: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = cpu();
    const started = performance.now();
    const done = await work();
    results.push({
      cpu: ((cpu() - before) * scale) / done,
      rate: done / ((performance.now() - started) / 1000),
    });
  }
  results.sort((a, b) => a.cpu - b.cpu);
  const { cpu: cost, rate } = results[Math.floor(ROUNDS / 2)] as { cpu: number; rate: number };
  console.log(
    `${name.padEnd(36)} ${cost.toFixed(3).padStart(9)} ${unit.padEnd(12)} ${rate.toFixed(1).padStart(10)}/s`,
  );
}

const open = (): Promise<SrpcClient> => connectSrpc({ host, port, tls });
const LINE = Buffer.from('ImageServer.CheckImage\n');
const REQUEST = new GobEncoder().encode(CheckImageRequest, { ImageName: 'no/such.image' });

/** Calls on one plain connection as a Go client makes them, with as little work on this side as can be. */
function callRaw(calls: number, pipelined: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host, port, noDelay: true });
    let left = calls;
    let heard = 0;
    let state: 'connect' | 'accept' | 'answer' = 'connect';
    /** Length of an answer; learnt from the first. */
    let size = 0;
    const begin = () => {
      if (left-- === 0) {
        socket.destroy();
        resolve(calls);
        return;
      }
      heard = 0;
      state = pipelined ? 'answer' : 'accept';
      socket.write(pipelined ? Buffer.concat([LINE, REQUEST]) : LINE);
    };
    socket.on('error', reject);
    socket.write('CONNECT /_goSRPC_/ HTTP/1.0\n\n');
    socket.on('data', (chunk) => {
      if (state === 'connect') begin();
      else if (state === 'accept') {
        state = 'answer';
        socket.write(REQUEST);
      } else {
        heard += chunk.length;
        size ||= heard;
        if (heard >= size) begin();
      }
    });
  });
}

async function upload(client: SrpcClient, contents: readonly Uint8Array[]): Promise<string[]> {
  const channel = await client.open('ObjectServer.AddObjects');
  const answers = (async () => {
    const hashes: string[] = [];
    while (hashes.length < contents.length) {
      const answer = await channel.receive(AddObjectResponse);
      if (!answer || answer.ErrorString) throw new Error(answer?.ErrorString ?? 'EOF');
      hashes.push(answer.Hash);
    }
    return hashes;
  })();
  for (const content of contents) {
    await channel.send(AddObjectRequest, { Length: BigInt(content.length), ExpectedHash: null });
    await channel.write(content);
  }
  await channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: null });
  await channel.flush();
  const hashes = await answers;
  channel.end();
  return hashes;
}

async function download(client: SrpcClient, hashes: readonly string[]): Promise<number> {
  const channel = await client.open('ObjectServer.GetObjects');
  await channel.send(GetObjectsRequest, { Exclusive: false, Hashes: [...hashes] });
  await channel.flush();
  const reply = await channel.receive(GetObjectsResponse);
  if (!reply || reply.ResponseString) throw new Error(reply?.ResponseString ?? 'EOF');
  const total = reply.ObjectSizes.reduce((sum, size) => sum + Number(size), 0);
  let bytes = 0;
  for await (const chunk of channel.bytes(total)) bytes += chunk.length;
  channel.end();
  return bytes;
}

console.log(`${'on the server'.padEnd(36)} ${'CPU'.padStart(9)}`);
if (!tls) {
  await callRaw(2000, false);
  for (const connections of [1, 16, 64])
    await measure(`CheckImage, ${connections} connections`, 'us/call', 1e6, async () => {
      const calls = Math.ceil(32_000 / connections);
      await Promise.all(Array.from({ length: connections }, () => callRaw(calls, false)));
      return calls * connections;
    });
  await measure('CheckImage in one segment, 64 conn.', 'us/call', 1e6, async () => {
    await Promise.all(Array.from({ length: 64 }, () => callRaw(500, true)));
    return 32_000;
  });
}
await measure('connect + call', 'ms/call', 1e3, async () => {
  for (let index = 0; index < 300; index++) {
    const client = await open();
    await client.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, { ImageName: 'x' });
    client.close();
  }
  return 300;
});
const client = await open();
const size = Number(values.size) * 1024 * 1024;
const scratch = mkdtempSync(join(tmpdir(), 'bench-srpc-'));
try {
  const small = Array.from({ length: 1000 }, (_, index) => Buffer.alloc(4096, `${index} ${process.pid} `));
  const smallHashes = await upload(client, small);
  await measure('GetObjects, 1,000 of 4 KiB', 'us/object', 1e6, async () => {
    for (let round = 0; round < 10; round++) await download(client, smallHashes);
    return 10_000;
  });
  const big = Buffer.alloc(size, `${process.pid} big`);
  writeFileSync(join(scratch, 'big'), big);
  const bigHashes = await upload(client, [big]);
  await measure(`GetObjects, ${values.size} MiB`, 's/GB', 1, async () => {
    let bytes = 0;
    for (let round = 0; round < 4; round++) bytes += await download(client, bigHashes);
    return bytes / 1e9;
  });
} finally {
  rmSync(scratch, { recursive: true });
  client.close();
  await own?.[Symbol.asyncDispose]();
}
process.exit(0);
