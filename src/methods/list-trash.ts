import { ListTrashRequest, ListTrashResponse } from '../wire/messages/extensions.ts';
import { timeFromMillis } from '../wire/time.ts';
import { defineUnary } from './method.ts';

export const listTrash = defineUnary({
  name: 'ImageServer.ListTrash',
  summary: 'Deleted images that can still be brought back, oldest first.',
  public: false,
  unauthenticatedRead: false,
  mutates: false,
  request: ListTrashRequest,
  reply: ListTrashResponse,
  handle(services) {
    const entries = services.images.trash().toSorted((a, b) => a.deletedAt - b.deletedAt);
    return {
      Images: entries.map((entry) => ({
        Id: entry.id,
        Name: entry.name,
        DeletedAt: timeFromMillis(entry.deletedAt),
        DeletedBy: entry.deletedBy,
        PurgeAt: timeFromMillis(entry.purgeAt),
        DataBytes: BigInt(entry.dataBytes),
      })),
    };
  },
});
