/**
 * A client that reads no answers of an upload before it has sent everything: the original's tool reads at most a thousand
 * ahead of what it sends. The server must go on taking objects, or both wait for each other for ever.
 */
import { expect, test } from 'bun:test';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { SocketReader } from '../src/srpc/reader.ts';
import { GobDecoder } from '../src/wire/gob/decoder.ts';
import { GobEncoder } from '../src/wire/gob/encoder.ts';
import { AddObjectRequest, AddObjectResponse } from '../src/wire/messages/objectserver.ts';
import { sha512 } from './replication-lab.ts';
import { startServer } from './server.ts';

/** Their answers are more than sockets hold that nobody reads from, and so are they. */
const OBJECTS = 10_000;

/** Begins an upload and stops reading. */
async function begin(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  for (const [line, answer] of [
    ['CONNECT /_goSRPC_/ HTTP/1.0\n\n', /^HTTP.*\n\n$/],
    ['ObjectServer.AddObjects\n', /^\n$/],
  ] as const) {
    socket.write(line);
    for (let heard = ''; !answer.test(heard); ) heard += (await once(socket, 'data'))[0];
  }
  return socket.pause();
}

test('answers that wait for a late reader do not stop an upload', async () => {
  await using server = await startServer();
  const socket = await begin(server.port);
  const encoder = new GobEncoder();
  const hashes: string[] = [];
  const send = async (bytes: Uint8Array) => socket.write(bytes) || (await once(socket, 'drain'));
  for (let index = 0; index < OBJECTS; index++) {
    const content = Buffer.from(`object ${index}\n`.repeat(50));
    const hash = sha512(content);
    hashes.push(hash);
    await send(encoder.encode(AddObjectRequest, { Length: BigInt(content.length), ExpectedHash: hash }));
    await send(content);
  }
  await send(encoder.encode(AddObjectRequest, { Length: 0n, ExpectedHash: null }));
  const decoder = new GobDecoder(new SocketReader(socket));
  const answered: (string | undefined)[] = [];
  while (answered.length < OBJECTS) {
    const answer = await decoder.decode(AddObjectResponse);
    answered.push(answer?.ErrorString === '' && answer.Added ? answer.Hash : answer?.ErrorString);
  }
  expect(answered).toEqual(hashes);
  socket.destroy();
}, 60_000);
