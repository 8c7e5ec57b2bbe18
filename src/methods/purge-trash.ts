import { ImageServerError } from '../errors.ts';
import { PurgeTrashRequest, PurgeTrashResponse } from '../wire/messages/extensions.ts';
import { byUser } from './log-text.ts';
import { defineUnary } from './method.ts';
import { findInTrash } from './trash.ts';

export const purgeTrash = defineUnary({
  name: 'ImageServer.PurgeTrash',
  summary: 'Removes deleted images for good before their grace period is over: one, or all.',
  public: false,
  unauthenticatedRead: false,
  mutates: true,
  request: PurgeTrashRequest,
  reply: PurgeTrashResponse,
  async handle(services, request, call) {
    const { ImageName, Id, All } = request;
    call.subject = All ? 'all' : ImageName || Id;
    if (All && (ImageName || Id))
      throw new ImageServerError('INVALID_REQUEST', 'either all or one image can be purged');
    const entries = All ? services.images.trash() : [findInTrash(services.images, ImageName, Id)];
    services.log(`PurgeTrash(${call.subject})${byUser(call)}`);
    for (const entry of entries) await services.images.purge(entry.id);
    return { Images: entries.map(({ name }) => name) };
  },
});
