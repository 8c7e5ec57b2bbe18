import { afterAll, describe, expect, test } from 'bun:test';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SocketWriter } from './writer.ts';

const scratch = mkdtempSync(join(tmpdir(), 'writer-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const content = Buffer.alloc(20_000_000);
for (let index = 0; index < content.length; index += 4)
  content.writeUInt32LE((index * 2654435761) >>> 0, index);
const path = join(scratch, 'file');
writeFileSync(path, content);

/** Runs `write` on the server's side of a connection; resolves with what arrives. */
async function written(
  plain: boolean,
  write: (writer: SocketWriter, socket: Socket) => Promise<void>,
  slow = false,
): Promise<{ bytes: Buffer; error: unknown }> {
  let error: unknown;
  const served = Promise.withResolvers<void>();
  const server = createServer(async (socket) => {
    socket.on('error', () => undefined);
    try {
      const writer = new SocketWriter(socket, plain);
      await write(writer, socket);
      await writer.flush();
    } catch (thrown) {
      error = thrown;
    }
    socket.end();
    served.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const chunks: Uint8Array[] = [];
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (chunk: Uint8Array) => {
      chunks.push(chunk);
      if (!slow) return;
      socket.pause();
      setTimeout(() => socket.resume(), 1);
    });
    socket.on('close', () => resolve());
  });
  await served.promise;
  server.close();
  return { bytes: Buffer.concat(chunks), error };
}

describe('files', () => {
  for (const plain of [true, false])
    for (const slow of [false, true])
      test(`a range between other bytes${plain ? '' : ', copied'}${slow ? ', slow reader' : ''}`, async () => {
        const fd = openSync(path, 'r');
        const { bytes, error } = await written(
          plain,
          async (writer) => {
            writer.writeLatin1('before');
            await writer.sendFile(fd, 100, 10);
            await writer.sendFile(fd, 12_345, 19_000_000);
            writer.write(Buffer.from('after'));
          },
          slow,
        );
        closeSync(fd);
        expect(error).toBeUndefined();
        const expected = Buffer.concat([
          Buffer.from('before'),
          content.subarray(100, 110),
          content.subarray(12_345, 19_012_345),
          Buffer.from('after'),
        ]);
        expect(bytes.equals(expected)).toBe(true);
      });

  test.each([
    ['small', true, 19_999_990, 20],
    ['big', true, 0, 20_000_001],
    ['big, copied', false, 0, 20_000_001],
  ])('shorter than promised: %s', async (_name, plain, start, length) => {
    const fd = openSync(path, 'r');
    const { error } = await written(plain, async (writer) => writer.sendFile(fd, start, length));
    closeSync(fd);
    expect(error).toMatchObject({ code: 'CORRUPT' });
  });

  test('many small ones in few writes', async () => {
    const fd = openSync(path, 'r');
    let writes = 0;
    const { bytes } = await written(true, async (writer, socket) => {
      const write = socket.write.bind(socket);
      socket.write = ((...args: Parameters<typeof write>) => {
        writes++;
        return write(...args);
      }) as typeof socket.write;
      for (let index = 0; index < 160; index++) await writer.sendFile(fd, index * 4096, 4096);
    });
    closeSync(fd);
    expect(bytes.equals(content.subarray(0, 160 * 4096))).toBe(true);
    expect(writes).toBe(10);
  });

  test('a reader that goes', async () => {
    const fd = openSync(path, 'r');
    for (const plain of [true, false]) {
      const { error } = await written(plain, async (writer, socket) => {
        const sending = writer.sendFile(fd, 0, content.length);
        socket.destroy();
        await sending;
      });
      expect(error).toMatchObject({ code: 'CANCELLED' });
    }
    closeSync(fd);
  });
});

test('gathers small pieces, sends big ones as they are, in order', async () => {
  const parts = Array.from({ length: 300 }, (_, index) => Buffer.alloc((index * 997) % 40_000, index));
  const { bytes } = await written(true, async (writer) => {
    for (const part of parts) await writer.write(part);
  });
  expect(bytes.equals(Buffer.concat(parts))).toBe(true);
});

test('short pieces for a peer that does not read hold no slab each', () => {
  const held: Uint8Array[] = [];
  const socket = {
    writableLength: 1,
    write: (data: Uint8Array) => held.push(data),
  } as unknown as Socket;
  const writer = new SocketWriter(socket, true);
  for (let index = 0; index < 100; index++) {
    writer.writeLatin1('an event');
    writer.flush();
  }
  const buffers = new Set(held.map(({ buffer }) => buffer));
  expect([...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(64 * 1024);
});
