/**
 * Replicating images that share most of their objects:
 * `bun bench/replicate.ts [-images=100] [-files=500] [-changed=10] [-rounds=2] [-other=COMMAND]`.
 * COMMAND starts another replica beside ours, with {port}, {dir} and {master} (a port on loopback) put in, and prints
 * its pid once it answers. Both follow the same master, one after the other, in one run; a first copy that is not counted
 * warms the master up.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSrpc } from '../src/srpc/client.ts';
import { Dice, freePort, Node, Wire } from '../test/replication-lab.ts';

const option = (name: string, standard: string) =>
  process.argv.find((arg) => arg.startsWith(`-${name}=`))?.slice(name.length + 2) ?? standard;
const images = Number(option('images', '100'));
const files = Number(option('files', '500'));
const changed = Number(option('changed', '10'));
const rounds = Number(option('rounds', '2'));
const other = option('other', '');

const master = await Node.start('ours');
const dice = new Dice(1);
const sizes = [200, 1000, 4000, 4000, 20_000, 60_000];
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

async function countImages(port: number): Promise<number> {
  const client = await connectSrpc({ host: '127.0.0.1', port });
  const channel = await client.open('ImageServer.ListImages');
  let count = 0;
  while ((await channel.readLine()) !== '') count++;
  client.close();
  return count;
}

/** `start` resolves with the pid of a running replica of the given port. */
async function measure(
  name: string,
  port: number,
  start: (masterPort: number) => Promise<number>,
): Promise<void> {
  const wire = await Wire.to(master.port);
  wire.down = true;
  const pid = await start(wire.port);
  const idle = cpuMs(pid);
  wire.down = false;
  let first: number | undefined;
  let count = 0;
  while (count < images) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (wire.received > 0) first ??= performance.now();
    if (first !== undefined) count = await countImages(port);
  }
  const seconds = (performance.now() - (first as number)) / 1000;
  console.log(
    `${name}: ${seconds.toFixed(2)} s, ${(cpuMs(pid) - idle) / 1000} s CPU, ${(wire.received / 1e6).toFixed(1)} MB received`,
  );
  await wire.close();
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
