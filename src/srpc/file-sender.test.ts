import { afterAll, expect, test } from 'bun:test';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sendOnThread } from './file-sender.ts';

const MIB = 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), 'file-sender-'));
const content = new Uint8Array(24 * MIB).map((_, index) => (index * 2_654_435_761) >>> 24);
const path = join(directory, 'content');
writeFileSync(path, content);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Two ends of a connection. */
async function connection(): Promise<{ near: Socket; far: Socket; server: Server }> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const far = dial((server.address() as { port: number }).port, '127.0.0.1');
  far.pause();
  const near = await accepted.promise;
  near.on('error', () => undefined);
  far.on('error', () => undefined);
  return { near, far, server };
}

/** What comes at the far end until it is closed. */
async function received(far: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of far) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const noProgress = () => undefined;
const linux = process.platform === 'linux';

test.if(linux)('many files at once, ranges of their own', async () => {
  const fd = openSync(path, 'r');
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const { near, far, server } = await connection();
      const [start, end] = [index * 1000 + 1, content.length - index * 777];
      const coming = received(far);
      expect(await sendOnThread(near, fd, start, end, noProgress)).toBe(end);
      near.end();
      expect((await coming).equals(content.subarray(start, end))).toBe(true);
      server.close();
    }),
  );
  closeSync(fd);
});

test.if(linux)('a reader that takes its time is told of, and keeps nobody from the thread', async () => {
  const fd = openSync(path, 'r');
  const slow = await connection();
  let told = 0;
  const sending = sendOnThread(slow.near, fd, 0, content.length, () => told++);
  const quick = await connection();
  quick.far.resume();
  expect(await sendOnThread(quick.near, fd, 0, content.length, noProgress)).toBe(content.length);
  slow.far.on('data', () => {
    if (told > 0) return;
    slow.far.pause();
    setTimeout(() => slow.far.resume(), 20);
  });
  slow.far.resume();
  await sending;
  expect(told).toBeGreaterThan(0);
  for (const { near, far, server } of [slow, quick]) {
    near.destroy();
    far.destroy();
    server.close();
  }
  closeSync(fd);
});

test.if(linux)('a socket that is closed while nobody reads', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const fd = openSync(path, 'r');
  const { near, far, server } = await connection();
  const arrived = new Promise((resolve) => far.once('readable', resolve));
  const sending = sendOnThread(near, fd, 0, content.length, noProgress);
  await arrived;
  near.destroy();
  const sent = await sending;
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(content.length);
  expect((await received(far)).equals(content.subarray(0, sent))).toBe(true);
  await new Promise((resolve) => server.close(resolve));
  closeSync(fd);
  expect(readdirSync('/proc/self/fd').length).toBe(before);
});

test.if(linux)('a peer that goes', async () => {
  const fd = openSync(path, 'r');
  const { near, far, server } = await connection();
  const sending = sendOnThread(near, fd, 0, content.length, noProgress);
  far.destroy();
  expect(await sending).toBeLessThan(content.length);
  near.destroy();
  server.close();
  closeSync(fd);
});

test.if(linux)('a file that ends early', async () => {
  const short = join(directory, 'short');
  writeFileSync(short, content);
  truncateSync(short, 5 * MIB + 1);
  const fd = openSync(short, 'r');
  const { near, far, server } = await connection();
  far.resume();
  expect(await sendOnThread(near, fd, MIB, content.length, noProgress)).toBe(5 * MIB + 1);
  near.destroy();
  server.close();
  closeSync(fd);
});
