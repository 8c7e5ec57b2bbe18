/** The calls that benchmarks make, with as little work on this side as can be. */
import type { ClientChannel, SrpcClient } from '../src/srpc/client.ts';
import { readImageReply } from '../src/wire/encoded-image.ts';
import { zeroOf } from '../src/wire/gob/zero.ts';
import { Image } from '../src/wire/messages/image.ts';
import * as m from '../src/wire/messages/imageserver.ts';
import * as o from '../src/wire/messages/objectserver.ts';
import { makeImage } from './made-image.ts';

/** Deterministic contents of an object, different for every number. */
export function contentOf(number: number, size: number): Uint8Array {
  const data = Buffer.alloc(size, 0x61);
  data.writeUInt32LE(number, 0);
  return data;
}

export async function getObjects(client: SrpcClient, hashes: readonly string[]): Promise<void> {
  const channel = await client.open('ObjectServer.GetObjects');
  await channel.send(o.GetObjectsRequest, { Exclusive: false, Hashes: [...hashes] });
  await channel.flush();
  const reply = await channel.receive(o.GetObjectsResponse);
  if (!reply || reply.ResponseString) throw new Error(reply?.ResponseString ?? 'EOF');
  let total = 0;
  for (const size of reply.ObjectSizes) total += Number(size);
  for await (const _ of channel.bytes(total));
  channel.end();
}

/** Asks for an image; the reply's messages follow on the channel. */
async function askForImage(client: SrpcClient, name: string): Promise<ClientChannel> {
  const channel = await client.open('ImageServer.GetImage');
  await channel.send(m.GetImageRequest, {
    ImageName: name,
    IgnoreFilesystem: false,
    IgnoreFilesystemIfExpiring: false,
    Timeout: 0n,
  });
  await channel.flush();
  const error = await channel.readLine();
  if (error) throw new Error(error);
  return channel;
}

/** Fetches an image and decodes it; the number of messages of the reply, which images of the same kinds of inodes share. */
export async function replyMessages(client: SrpcClient, name: string): Promise<number> {
  const channel = await askForImage(client, name);
  let count = 0;
  const image = await readImageReply({
    async next() {
      const message = await channel.messages.next();
      if (message) count++;
      return message;
    },
  });
  if (!image) throw new Error(`no image: ${name}`);
  channel.end();
  return count;
}

/** Fetches an image whose reply is known to have so many messages, without decoding it. */
export async function takeImage(client: SrpcClient, name: string, messages: number): Promise<void> {
  const channel = await askForImage(client, name);
  for (let i = 0; i < messages; i++) await channel.messages.next();
  channel.end();
}

export const deleteImage = (client: SrpcClient, name: string) =>
  client.call('ImageServer.DeleteImage', m.DeleteImageRequest, m.DeleteImageResponse, { ImageName: name });
export const checkImage = (client: SrpcClient, name: string) =>
  client.call('ImageServer.CheckImage', m.CheckImageRequest, m.CheckImageResponse, { ImageName: name });
export const checkObjects = (client: SrpcClient, hashes: readonly string[]) =>
  client.call('ObjectServer.CheckObjects', o.CheckObjectsRequest, o.CheckObjectsResponse, {
    Hashes: [...hashes],
  });
export const makeDirectory = (client: SrpcClient, name: string) =>
  client.call('ImageServer.MakeDirectory', m.MakeDirectoryRequest, m.MakeDirectoryResponse, {
    DirectoryName: name,
    MakeAll: false,
  });
export const findLatest = (client: SrpcClient, directory: string) =>
  client.call('ImageServer.FindLatestImage', m.FindLatestImageRequest, m.FindLatestImageResponse, {
    BuildCommitId: '',
    DirectoryName: directory,
    IgnoreExpiringImages: false,
    TagsToMatch: null,
  });
export async function listImages(client: SrpcClient): Promise<void> {
  const channel = await client.open('ImageServer.ListImages');
  while ((await channel.readLine()) !== '');
  channel.end();
}

/** An image without files, cheap to add by the thousand. */
export const tinyImage: Image = { ...(zeroOf(Image) as Image), FileSystem: makeImage(0).FileSystem };
