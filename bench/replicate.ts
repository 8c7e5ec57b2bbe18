/**
 * Replicating images that share most of their objects:
 * `bun bench/replicate.ts [-images=100] [-files=500] [-changed=10] [-sizes=200,1000,...] [-rounds=2] [-direct]
 * [-busyDisk=MB] [-other=COMMAND]`.
 * COMMAND starts another replica beside ours, with {port}, {dir} and {master} (a port on loopback) put in, and prints
 * its pid once it answers. Both follow the same master, one after the other, in one run; a first copy that is not counted
 * warms the master up. The bytes are counted by a relay between the two, which costs time of its own: -direct does
 * without (the master is stopped until the replica waits for it). -busyDisk: somebody else writes and syncs so many
 * megabytes again and again meanwhile. 641 MB in 10 images: `-images=10 -files=4300 -changed=4300 -direct`.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import { Dice, freePort, Node, Wire } from '../test/replication-lab.ts';

const option = (name: string, standard: string) =>
  process.argv.find((arg) => arg.startsWith(`-${name}=`))?.slice(name.length + 2) ?? standard;
const images = Number(option('images', '100'));
const files = Number(option('files', '500'));
const changed = Number(option('changed', '10'));
const rounds = Number(option('rounds', '2'));
const other = option('other', '');
const direct = process.argv.includes('-direct');
const busyDisk = Number(option('busyDisk', '0'));
const sizes = option('sizes', '200,1000,4000,4000,20000,60000').split(',').map(Number);

const master = await Node.start('ours');
const dice = new Dice(1);
const contents = Array.from({ length: files }, () => dice.bytes(dice.pick(sizes)));
let distinct = contents.reduce((sum, data) => sum + data.length, 0);
for (let image = 0; image < images; image++) {
  await master.add(`image.${image}`, contents);
  for (let i = 0; i < changed; i++) {
    const data = dice.bytes(dice.pick(sizes));
    contents[dice.below(files)] = data;
    if (image < images - 1) distinct += data.length;
  }
}
console.log(
  `${images} images of ${files} files, ${changed} changed from one to the next: ${(distinct / 1e6).toFixed(1)} MB of distinct objects`,
);

function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function countImages(client: SrpcClient): Promise<number> {
  const channel = await client.open('ImageServer.ListImages');
  let count = 0;
  while ((await channel.readLine()) !== '') count++;
  channel.end();
  return count;
}

/** What others do on the same disk. */
function disturb(): () => void {
  if (busyDisk === 0) return () => undefined;
  const file = join(tmpdir(), `imageserver-bench-${process.pid}`);
  const child = Bun.spawn(
    [
      'sh',
      '-c',
      `while :; do dd if=/dev/zero of=${file} bs=1M count=${busyDisk} conv=fsync 2>/dev/null; done`,
    ],
    { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' },
  );
  return () => {
    child.kill();
    rmSync(file, { force: true });
  };
}

/** `start` resolves with the pid of a running replica of the given port. */
async function measure(
  name: string,
  port: number,
  start: (masterPort: number) => Promise<number>,
): Promise<void> {
  const wire = direct ? undefined : await Wire.to(master.port);
  if (wire) wire.down = true;
  else process.kill(master.pid, 'SIGSTOP');
  const pid = await start(wire?.port ?? master.port);
  const client = await connectSrpc({ host: '127.0.0.1', port });
  const quiet = disturb();
  if (busyDisk > 0) await Bun.sleep(1000);
  const idle = cpuMs(pid);
  if (wire) wire.down = false;
  else process.kill(master.pid, 'SIGCONT');
  let first = wire ? undefined : performance.now();
  let count = 0;
  while (count < images) {
    await Bun.sleep(30);
    if (wire && wire.received > 0) first ??= performance.now();
    if (first !== undefined) count = await countImages(client);
  }
  const seconds = (performance.now() - (first as number)) / 1000;
  const bytes = wire ? `, ${(wire.received / 1e6).toFixed(1)} MB received` : '';
  console.log(
    `${name}: ${seconds.toFixed(2)} s (${(distinct / 1e6 / seconds).toFixed(0)} MB/s), ${((cpuMs(pid) - idle) / 1000).toFixed(2)} s CPU${bytes}`,
  );
  quiet();
  client.close();
  await wire?.close();
}

async function own(name: string): Promise<void> {
  let replica: Node | undefined;
  const port = await freePort();
  await measure(name, port, async (masterPort) => {
    replica = new Node('ours', port, master.replicaArgs(masterPort));
    await replica.start();
    return replica.pid;
  });
  await replica?.remove();
}

async function another(): Promise<void> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'imageserver-bench-'));
  chmodSync(directory, 0o711);
  let pid = 0;
  await measure('the other', port, async (masterPort) => {
    const command = other
      .replaceAll('{port}', String(port))
      .replaceAll('{dir}', directory)
      .replaceAll('{master}', String(masterPort));
    const child = Bun.spawn(['sh', '-c', command], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' });
    const { value } = await child.stdout.getReader().read();
    pid = Number(new TextDecoder().decode(value).trim());
    return pid;
  });
  process.kill(pid);
  rmSync(directory, { recursive: true, force: true });
}

await own('not counted');
for (let round = 0; round < rounds; round++) {
  await own('ours');
  if (other) await another();
}
await master.remove();
process.exit(0);
