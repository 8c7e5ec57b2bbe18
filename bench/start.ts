/**
 * The start of the server on a fleet's directories: `bun bench/start.ts [--images N] [--inodes N] [--extra OBJECTS] [--directory DIR [--keep]]`. First
 * without an index (everything is read in the background), then with one. While it starts a small call is made all the
 * time: how long it takes says how long the event loop was busy. (The first one waits for the index.) `--keep`: only with the
 * index that is there.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectSrpc } from '../src/srpc/client.ts';
import { sha512 } from '../src/store/stores-fixture.ts';
import { encodeImage } from '../src/wire/encoded-image.ts';
import { CheckImageRequest, CheckImageResponse } from '../src/wire/messages/imageserver.ts';
import { programCommand } from '../test/server.ts';
import { CallTimes } from './core-waits.ts';
import { imageSeries } from './image-series.ts';
import { anonymous, cpuSeconds, peak, resident } from './resident.ts';

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '300' },
    inodes: { type: 'string', default: '20000' },
    extra: { type: 'string', default: '95000' },
    directory: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const memory = '/dev/shm';
const scratch = values.directory ?? mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'bench-start-'));
const PORT = 26971;

/** Straight into the directories, as another server may have left them. */
function fill(): void {
  for (const name of ['images', 'objects', 'logs']) mkdirSync(join(scratch, name), { recursive: true });
  const object = (contents: Uint8Array | string) => {
    const hash = sha512(contents);
    const path = join(scratch, 'objects', hash.slice(0, 2), hash.slice(2, 4), hash.slice(4));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  };
  const series = imageSeries(Number(values.inodes));
  let objects = Number(values.extra);
  for (let index = 0; index < objects; index++) object(`extra ${index}`);
  for (let index = 0; index < Number(values.images); index++) {
    const contents = series.contents(index);
    for (const one of contents) object(one);
    objects += contents.length;
    const { bytes } = encodeImage(series.image(index));
    writeFileSync(
      join(scratch, 'images', `fleet.${index}`),
      Buffer.concat([bytes, Buffer.from(sha512(bytes), 'hex')]),
    );
  }
  console.log(`${values.images} images of ${values.inodes} inodes, ${objects} objects`);
}

async function portOpen(): Promise<void> {
  for (;;) {
    const opened = await new Promise<boolean>((resolve) => {
      const socket = connect(PORT, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (opened) return;
    await Bun.sleep(5);
  }
}

async function measure(what: string): Promise<void> {
  const started = performance.now();
  const since = () => `${Math.round(performance.now() - started)} ms`;
  const child = Bun.spawn(
    [
      ...programCommand('imageserver'),
      `-portNum=${PORT}`,
      '-listenAddress=127.0.0.1',
      '-allowRoot',
      '-alsoLogToStderr',
      '-permitInsecureMode',
      '-CAfile=',
      `-imageDir=${join(scratch, 'images')}`,
      `-objectDir=${join(scratch, 'objects')}`,
      `-logDir=${join(scratch, 'logs')}`,
    ],
    { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
  );
  let ready = '';
  let log = '';
  const reading = (async () => {
    for await (const chunk of child.stderr) {
      log += Buffer.from(chunk).toString();
      if (ready === '' && log.includes('Ready on')) ready = since();
    }
  })();
  await portOpen();
  const open = since();
  const client = await connectSrpc({ host: '127.0.0.1', port: PORT });
  const check = () =>
    client.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, { ImageName: 'x' });
  await check();
  const answered = since();
  const times = new CallTimes(child.pid);
  while (ready === '' && child.exitCode === null) {
    await times.time(check);
    await Bun.sleep(1);
  }
  const { pid } = child;
  console.log(
    `${what}: port open after ${open}, first call answered after ${answered}, ready after ${ready} (${cpuSeconds(pid)} CPU s); ${times.count} calls meanwhile: ${times}; resident ${resident(pid)} MiB, of which ${anonymous(pid)} its own; at most ${peak(pid)}`,
  );
  for (const line of log.split('\n')) if (/Scanned|Loaded|Damaged/.test(line)) console.log(`  ${line}`);
  client.close();
  child.kill('SIGTERM');
  await Promise.all([reading, child.exited]);
}

try {
  if (!existsSync(join(scratch, 'images'))) fill();
  if (!values.keep) {
    rmSync(join(scratch, 'images', '.index'), { recursive: true, force: true });
    await measure('without an index');
  }
  await measure('with an index');
} finally {
  if (!values.directory) rmSync(scratch, { recursive: true, force: true });
}
process.exit(0);
