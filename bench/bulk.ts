/** What benchmarks need to fill a server: uploads of many objects, images, and answers thrown away. */
import { type AddressInfo, connect, createServer } from 'node:net';
import type { SrpcClient } from '../src/srpc/client.ts';
import { GobEncoder } from '../src/wire/gob/encoder.ts';
import type { Image } from '../src/wire/messages/image.ts';
import {
  AddImageRequest,
  AddImageResponse,
  GetImageRequest,
  GetImageResponse,
} from '../src/wire/messages/imageserver.ts';
import { AddObjectRequest, AddObjectResponse } from '../src/wire/messages/objectserver.ts';

/** One AddObjects call. */
export async function uploadAll(client: SrpcClient, contents: Iterable<Uint8Array>): Promise<number> {
  const channel = await client.open('ObjectServer.AddObjects');
  let sent = 0;
  let finished = false;
  const sending = (async () => {
    for (const content of contents) {
      sent++;
      await channel.send(AddObjectRequest, { Length: BigInt(content.length), ExpectedHash: null });
      await channel.write(content);
    }
    await channel.send(AddObjectRequest, { Length: 0n, ExpectedHash: null });
    finished = true;
    await channel.flush();
  })();
  let received = 0;
  while (!finished || received < sent) {
    const answer = await channel.receive(AddObjectResponse);
    if (!answer || answer.ErrorString) throw new Error(answer?.ErrorString ?? 'EOF');
    received++;
  }
  await sending;
  channel.end();
  return sent;
}

export async function addImage(client: SrpcClient, ImageName: string, image: Image): Promise<void> {
  await client.call('ImageServer.AddImage', AddImageRequest, AddImageResponse, { ImageName, Image: image });
}

export async function getImage(client: SrpcClient, ImageName: string): Promise<Image | null> {
  const { Image: image } = await client.call('ImageServer.GetImage', GetImageRequest, GetImageResponse, {
    ImageName,
    IgnoreFilesystem: false,
    IgnoreFilesystemIfExpiring: false,
    Timeout: 0n,
  });
  return image;
}

/**
 * GetImage as a client that does nothing with the answers: on one connection, one after the other. `sizes`: how long each
 * answer is, status line included. Resolves with the bytes received.
 */
export function swallowImages(
  address: Address,
  names: readonly string[],
  sizes: ReadonlyMap<string, number>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, noDelay: true });
    const head = Buffer.from('HTTP/1.0 200 Connected to Go SRPC\n\n').length;
    let next = 0;
    let expected = head;
    let total = 0;
    socket.on('error', reject);
    socket.write('CONNECT /_goSRPC_/ HTTP/1.0\n\n');
    socket.on('data', (chunk) => {
      expected -= chunk.length;
      total += chunk.length;
      if (expected > 0) return;
      const name = names[next++];
      if (name === undefined) {
        socket.destroy();
        resolve(total);
        return;
      }
      expected = sizes.get(name) ?? 0;
      socket.write(
        Buffer.concat([
          Buffer.from('ImageServer.GetImage\n'),
          new GobEncoder().encode(GetImageRequest, {
            ImageName: name,
            IgnoreFilesystem: false,
            IgnoreFilesystemIfExpiring: false,
            Timeout: 0n,
          }),
        ]),
      );
    });
  });
}

type Address = { host: string; port: number };

/** A way to the server on which the bytes that it sends are counted. */
export async function withCounter(
  address: Address,
  run: (through: Address, received: () => number) => Promise<void>,
): Promise<void> {
  let received = 0;
  const relay = createServer((near) => {
    const far = connect({ ...address, noDelay: true });
    near.pipe(far);
    far.on('data', (chunk) => {
      received += chunk.length;
      near.write(chunk);
    });
    far.on('error', () => near.destroy());
    near.on('error', () => far.destroy());
    near.on('close', () => far.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, address.host, resolve));
  try {
    await run({ host: address.host, port: (relay.address() as AddressInfo).port }, () => received);
  } finally {
    relay.close();
  }
}
