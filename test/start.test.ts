/** Between the opening of the port and readiness: what is answered, what waits, and what a signal does. */
import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSrpc } from '../src/srpc/client.ts';
import { sha512 } from '../src/store/stores-fixture.ts';
import { encodeImage } from '../src/wire/encoded-image.ts';
import { sampleImage } from '../src/wire/image-fixture.ts';
import type { FileSystem, GenericInode } from '../src/wire/messages/filesystem.ts';
import { CheckImageRequest, CheckImageResponse } from '../src/wire/messages/imageserver.ts';
import { programCommand, startServer } from './server.ts';

/** So many that reading them takes seconds. */
const IMAGES = 60;
const INODES = 20_000;
const directory = mkdtempSync(join(tmpdir(), 'imageserver-start-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A file of an image, as another server may have left it; its objects are not here. */
function imageFile(): Buffer {
  const image = sampleImage();
  const { InodeTable: table, ...tree } = image.FileSystem as FileSystem;
  const inodes = new Map<bigint, GenericInode | null>(table ?? []);
  const first = inodes.get(1n);
  for (let number = 0; number < INODES; number++)
    inodes.set(1000n + BigInt(number), { ...first, Hash: sha512(String(number)) } as GenericInode);
  const { bytes } = encodeImage({ ...image, FileSystem: { ...tree, InodeTable: inodes } });
  return Buffer.concat([bytes, Buffer.from(sha512(bytes), 'hex')]);
}

test('calls are answered while the images are read, and SIGTERM ends that', async () => {
  for (const name of ['images', 'objects', 'logs']) mkdirSync(join(directory, name));
  const file = imageFile();
  for (let index = 0; index < IMAGES; index++)
    writeFileSync(join(directory, 'images', `image.${index}`), file);
  const child = Bun.spawn(
    [
      ...programCommand('imageserver'),
      '-portNum=0',
      '-listenAddress=127.0.0.1',
      '-allowRoot',
      '-permitInsecureMode',
      '-CAfile=',
      ...['image', 'object'].map((what) => `-${what}Dir=${join(directory, `${what}s`)}`),
      `-logDir=${join(directory, 'logs')}`,
      '-alsoLogToStderr',
    ],
    { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
  );
  let said = '';
  const listening = Promise.withResolvers<number>();
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      said += decoder.decode(chunk, { stream: true });
      const port = /listening on port (\d+)/.exec(said)?.[1];
      if (port) listening.resolve(Number(port));
    }
    listening.reject(new Error(said));
  })();
  const port = await listening.promise;
  const url = `http://127.0.0.1:${port}`;
  expect(await (await fetch(`${url}/healthz`)).text()).toBe('OK\n');
  const readiness = await fetch(`${url}/readiness`);
  expect([readiness.status, await readiness.text()]).toEqual([
    503,
    'not ready\nthe directories are being read\n',
  ]);
  // An image that is not read yet is read next; nobody is told that it is not there.
  const client = await connectSrpc({ host: '127.0.0.1', port });
  const check = (name: string) =>
    client.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, { ImageName: name });
  expect(await check(`image.${IMAGES - 1}`)).toEqual({ ImageExists: true });
  expect(await check('image.x')).toEqual({ ImageExists: false });
  expect((await fetch(`${url}/readiness`)).status).toBe(503);
  // A replica waits for the whole list.
  const updates = fetch(`${url}/rpc/ImageServer.GetImageUpdates`).catch(() => undefined);

  const started = performance.now();
  child.kill('SIGTERM');
  expect(await child.exited).toBe(0);
  await Promise.all([reading, updates]);
  client.close();
  expect(said).not.toContain('Ready on');
  expect(said).toContain('Stopping');
  // Far below the time that calls under way would get.
  expect(performance.now() - started).toBeLessThan(5000);

  // What was read is not read again, and nothing is lost.
  const again = await startServer({ directory });
  const names = (await (await fetch(`${again.url}/listImages?output=text`)).text()).match(/image\.\d+/g);
  expect(new Set(names).size).toBe(IMAGES);
  expect(await again.stop()).toBe(0);
}, 60_000);
