/**
 * How long an event takes to reach all listeners of GetImageUpdates:
 * `bun bench/fanout.ts [-listeners=1000] [-events=30] [-server=host:port]`. Without -server it starts one of ours.
 * One listener more never reads: it must not delay the others.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connectSrpc } from '../src/srpc/client.ts';
import {
  ImageUpdate,
  MakeDirectoryRequest,
  MakeDirectoryResponse,
  Operation,
} from '../src/wire/messages/imageserver.ts';
import { startServer } from '../test/server.ts';

const option = (name: string, standard: string) =>
  process.argv.find((arg) => arg.startsWith(`-${name}=`))?.slice(name.length + 2) ?? standard;
const listeners = Number(option('listeners', '1000'));
const events = Number(option('events', '30'));
const given = option('server', '');
const own = given ? undefined : await startServer({ fromSource: true, args: ['-shutdownTimeout=1s'] });
const [host = '127.0.0.1', portText = ''] = given ? given.split(':') : ['127.0.0.1', String(own?.port)];
const address = { host, port: Number(portText) };

let arrived = 0;
let complete = Promise.withResolvers<void>();
let wanted = '';
let at: number[] = [];
let sent = 0;

async function listen(): Promise<void> {
  const client = await connectSrpc(address);
  const channel = await client.open('ImageServer.GetImageUpdates');
  for (;;) {
    const update = await channel.receive(ImageUpdate);
    if (!update) throw new Error('a listener was dropped');
    if (update.Operation === Operation.AddImage && update.Name === '') break;
  }
  void (async () => {
    for (;;) {
      const update = await channel.receive(ImageUpdate);
      if (!update) return;
      if (update.Directory?.Name !== wanted) continue;
      at.push(performance.now() - sent);
      if (++arrived === listeners) complete.resolve();
    }
  })();
}

for (let started = 0; started < listeners; started += 50)
  await Promise.all(Array.from({ length: Math.min(50, listeners - started) }, listen));
const deaf = connect(address);
deaf.write('CONNECT /_goSRPC_/ HTTP/1.0\n\n');
await new Promise((resolve) => deaf.once('data', resolve));
deaf.pause();
deaf.write('ImageServer.GetImageUpdates\n');

/** CPU time of our server so far, milliseconds; undefined for one that was started by others. */
function serverCpuMs(): number | undefined {
  if (!own) return undefined;
  const fields = readFileSync(`/proc/${own.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const control = await connectSrpc(address);
const cpuBefore = serverCpuMs();
const lasts: number[] = [];
const middles: number[] = [];
const stamp = Date.now();
for (let event = 0; event < events; event++) {
  arrived = 0;
  at = [];
  wanted = `e${stamp}-${event}`;
  complete = Promise.withResolvers();
  sent = performance.now();
  await control.call('ImageServer.MakeDirectory', MakeDirectoryRequest, MakeDirectoryResponse, {
    DirectoryName: wanted,
    MakeAll: false,
  });
  await complete.promise;
  at.sort((a, b) => a - b);
  middles.push(at[at.length >> 1] as number);
  lasts.push(at.at(-1) as number);
}
const cpuAfter = serverCpuMs();
const sorted = (values: number[]) => values.toSorted((a, b) => a - b);
const pick = (values: number[], share: number) =>
  (sorted(values)[Math.min(values.length - 1, Math.floor(values.length * share))] as number).toFixed(1);
console.log(
  `${listeners} listeners (+1 that never reads), ${events} events, from the request to the arrival:`,
);
console.log(`  the middle listener: median ${pick(middles, 0.5)} ms`);
console.log(
  `  the last listener: median ${pick(lasts, 0.5)} ms, p90 ${pick(lasts, 0.9)} ms, worst ${pick(lasts, 1)} ms`,
);
if (cpuBefore !== undefined && cpuAfter !== undefined) {
  const each = (cpuAfter - cpuBefore) / events;
  console.log(
    `  server CPU: ${each.toFixed(1)} ms an event, ${((each * 1000) / listeners).toFixed(1)} us a listener`,
  );
}
await own?.[Symbol.asyncDispose]();
process.exit(0);
