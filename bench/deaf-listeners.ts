/**
 * Listeners of GetImageUpdates who ask and never read, over SRPC, NDJSON and Server-Sent Events: memory and descriptors
 * of the server, the latency of a small call meanwhile, and how they are dropped.
 * `bun bench/deaf-listeners.ts [-listeners=1000] [-directories=20000] [-stallTimeout=20s]`. The list is longer than what
 * the kernel takes for a connection, and events follow.
 */
import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSrpc } from '../src/srpc/client.ts';
import {
  CheckImageRequest,
  CheckImageResponse,
  MakeDirectoryRequest,
  MakeDirectoryResponse,
} from '../src/wire/messages/imageserver.ts';
import { startServer } from '../test/server.ts';
import { peak, resident } from './resident.ts';

const option = (name: string, standard: string) =>
  process.argv.find((arg) => arg.startsWith(`-${name}=`))?.slice(name.length + 2) ?? standard;
const listeners = Number(option('listeners', '1000'));
const directories = Number(option('directories', '5000'));
const stallTimeout = option('stallTimeout', '20s');

const REQUESTS: Record<string, string> = {
  SRPC: 'CONNECT /_goSRPC_/ HTTP/1.0\n\nImageServer.GetImageUpdates\n',
  NDJSON:
    'POST /rpc/ImageServer.GetImageUpdates HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
  SSE: 'GET /rpc/ImageServer.GetImageUpdates HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n',
};

/** The deaf, in a process of their own; prints how many are still there whenever that changes. */
function beDeaf(port: number, request: string): void {
  // Sockets that are paused do not keep a process alive.
  setInterval(() => undefined, 60_000);
  let left = listeners;
  for (let index = 0; index < listeners; index++) {
    const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' }, () =>
      socket.write(request),
    );
    socket.pause();
    // A reset is seen without reading.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (--left === 0) process.exit(0);
    });
  }
}

async function measure(name: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'deaf-'));
  for (let index = 0; index < directories; index++)
    mkdirSync(join(directory, 'images', `${'directory with a long name '.repeat(7)}${index}`), {
      recursive: true,
    });
  const server = await startServer({
    directory,
    args: [`-stallTimeout=${stallTimeout}`, '-shutdownTimeout=1s', '-alsoLogToStderr'],
  });
  const { pid, port } = server;
  const open = () => readdirSync(`/proc/${pid}/fd`).length;
  const client = await connectSrpc({ host: '127.0.0.1', port });
  const times: number[] = [];
  const call = async () => {
    const started = performance.now();
    await client.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, { ImageName: 'x' });
    times.push(performance.now() - started);
  };
  for (let index = 0; index < 500; index++) await call();
  const before = { mib: resident(pid), open: open() };
  peak(pid);
  times.length = 0;
  const deaf = Bun.spawn(
    [process.execPath, import.meta.path, `-listeners=${listeners}`, `-deaf=${name}`, `-port=${port}`],
    { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' },
  );
  const started = performance.now();
  let most = before.open;
  let settled = 0;
  let events = 0;
  let gone: number | undefined;
  const dropped = () => (gone ??= performance.now() - started);
  for (let round = 0; performance.now() - started < 100_000; round++) {
    try {
      await call();
    } catch (thrown) {
      console.log(`${name}: the small call was cut off: ${(thrown as Error).message}`);
      break;
    }
    if (round % 50 === 0) {
      const now = open();
      if (now > most) {
        most = now;
        settled = performance.now() - started;
      }
      if (most > before.open + listeners / 2 && now < before.open + 20) {
        dropped();
        break;
      }
      await client.call('ImageServer.MakeDirectory', MakeDirectoryRequest, MakeDirectoryResponse, {
        DirectoryName: `event ${events++}`,
        MakeAll: false,
      });
    }
    await Bun.sleep(2);
  }
  deaf.kill();
  await deaf.exited;
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor((times.length - 1) * share)] as number).toFixed(2);
  const highest = peak(pid);
  const reasons = new Map<string, number>();
  for (const line of server.stderr().split('\n')) {
    const reason = /listener .*|moved no byte.*|stall.*|cut off.*/.exec(line)?.[0];
    if (reason) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  console.log(
    `${name}: ${listeners} listeners that never read, ${directories} directories, ${events} events\n` +
      `  memory ${before.mib} MiB before, ${highest} at most, ${resident(pid)} after; descriptors ${before.open}, ${most} (after ${(settled / 1000).toFixed(1)} s), ${open()}\n` +
      `  a small call meanwhile: p50 ${at(0.5)}, p99 ${at(0.99)}, worst ${at(1)} ms (${times.length} calls)\n` +
      `  all dropped after ${gone === undefined ? 'more than 180' : (gone / 1000).toFixed(1)} s; the log: ${JSON.stringify([...reasons])}`,
  );
  client.close();
  await server[Symbol.asyncDispose]();
}

const deaf = option('deaf', '');
if (deaf) beDeaf(Number(option('port', '0')), REQUESTS[deaf] as string);
else {
  for (const name of option('kinds', Object.keys(REQUESTS).join(',')).split(',')) await measure(name);
  process.exit(0);
}
