import { asImageServerError, errorLine } from '../errors.ts';
import { Turn } from '../store/turn.ts';
import type { ObjectReader, ObjectStore } from '../store/types.ts';
import { GetObjectsRequest, GetObjectsResponse } from '../wire/messages/objectserver.ts';
import { type Channel, type ChannelMethod, GATHERED } from './method.ts';

/** Text for objects that are not here; names the first one. Empty if all are here. */
function missingText(hashes: readonly string[], sizes: readonly number[]): string {
  let missing = 0;
  let first = '';
  sizes.forEach((size, index) => {
    if (size > 0) return;
    if (missing++ === 0) first = hashes[index] ?? '';
  });
  if (missing === 0) return '';
  return missing === 1 ? `unknown object: ${first}` : `first of ${missing} unknown objects: ${first}`;
}

async function readRequest(channel: Channel) {
  try {
    return await channel.receive(GetObjectsRequest);
  } catch (thrown) {
    await channel.send(GetObjectsResponse, {
      ResponseString: errorLine(asImageServerError(thrown)),
      ObjectSizes: [],
    });
    await channel.flush();
    return undefined;
  }
}

/**
 * Sends one object. The sizes are promised already: an object of another length can only be answered by closing the
 * connection.
 */
function sendObject(
  objects: ObjectStore,
  channel: Channel,
  hash: string,
  size: number,
): void | Promise<void> {
  if (channel.gather && size <= GATHERED)
    return channel.gather(size, (into, at) => objects.readInto(hash, size, into, at));
  return sendOpened(objects.open(hash), channel, size);
}

async function sendOpened(object: ObjectReader, channel: Channel, size: number): Promise<void> {
  try {
    if (object.size !== size) throw new Error(`object ${object.hash} changed its length`);
    await channel.sendObject(object);
  } finally {
    object.close();
  }
}

export const getObjects: ChannelMethod = {
  shape: 'channel',
  name: 'ObjectServer.GetObjects',
  summary: 'Sends the contents of objects, one after the other in the order asked for.',
  public: false,
  unauthenticatedRead: true,
  mutates: false,
  request: GetObjectsRequest,
  reply: GetObjectsResponse,
  async handle(services, channel, call) {
    const request = await readRequest(channel);
    if (!request) return;
    services.activity.getObjects++;
    try {
      const sizes = services.objects.sizes(request.Hashes);
      const ResponseString = missingText(request.Hashes, sizes);
      await channel.send(GetObjectsResponse, { ResponseString, ObjectSizes: sizes.map(BigInt) });
      await channel.flush();
      if (ResponseString) return;
      const turn = new Turn();
      for (let index = 0; index < sizes.length; index++) {
        if (call.signal.aborted) return;
        const sent = sendObject(
          services.objects,
          channel,
          request.Hashes[index] as string,
          sizes[index] ?? 0,
        );
        if (sent) await sent;
        if (turn.over()) await turn.next();
      }
      await channel.flush();
    } finally {
      services.activity.getObjects--;
    }
  },
};
