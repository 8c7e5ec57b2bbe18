import { ImageServerError } from '../errors.ts';
import { UndeleteImageRequest, UndeleteImageResponse } from '../wire/messages/extensions.ts';
import { byUser } from './log-text.ts';
import { defineUnary } from './method.ts';
import { refuseOnReplica } from './replica.ts';
import { findInTrash } from './trash.ts';

export const undeleteImage = defineUnary({
  name: 'ImageServer.UndeleteImage',
  summary: 'Brings a deleted image back from the trash, the last one of that name unless an id is given.',
  public: false,
  unauthenticatedRead: false,
  mutates: true,
  request: UndeleteImageRequest,
  reply: UndeleteImageResponse,
  async handle(services, request, call) {
    call.subject = request.ImageName || request.Id;
    // Coming back here alone, it would be deleted again at the next comparison with the master.
    refuseOnReplica(services);
    const entry = findInTrash(services.images, request.ImageName, request.Id);
    call.subject = entry.name;
    if (services.images.has(entry.name))
      throw new ImageServerError('IMAGE_EXISTS', `image: ${entry.name} already exists`);
    services.log(`UndeleteImage(${entry.name})${byUser(call)}`);
    await services.images.undelete(entry.id);
    return { ImageName: entry.name };
  },
});
