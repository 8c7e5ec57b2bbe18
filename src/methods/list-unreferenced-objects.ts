import { ObjectEntry } from '../wire/messages/imageserver.ts';
import { defineStream } from './method.ts';

export const listUnreferencedObjects = defineStream({
  name: 'ImageServer.ListUnreferencedObjects',
  summary: 'Lists the objects that no image uses with their sizes, oldest first.',
  public: false,
  unauthenticatedRead: true,
  mutates: false,
  live: false,
  item: ObjectEntry,
  end: { Hash: '0'.repeat(128), Size: 0n },
  *handle(services) {
    for (const entry of services.objects.unreferenced()) yield { Hash: entry.hash, Size: BigInt(entry.size) };
  },
});
