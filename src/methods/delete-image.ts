import { checkImageOwnership } from '../access/ownership.ts';
import { ImageServerError } from '../errors.ts';
import { DeleteImageRequest, DeleteImageResponse } from '../wire/messages/imageserver.ts';
import { byUser } from './log-text.ts';
import { defineUnary } from './method.ts';
import { refuseOnReplica } from './replica.ts';

export const deleteImage = defineUnary({
  name: 'ImageServer.DeleteImage',
  summary:
    'Deletes an image. It stays in the trash for the grace period; a damaged one goes to the quarantine.',
  public: true,
  unauthenticatedRead: false,
  mutates: true,
  request: DeleteImageRequest,
  reply: DeleteImageResponse,
  async handle(services, request, call) {
    const name = request.ImageName;
    call.subject = name;
    refuseOnReplica(services);
    await services.images.pending(name);
    if (!services.images.has(name) && !services.images.isDamaged(name))
      throw new ImageServerError('IMAGE_NOT_FOUND', 'image does not exist');
    checkImageOwnership(call, services.images, name);
    if (await services.isProtected?.(name))
      throw new ImageServerError(
        'CONFLICT',
        `image is protected against deletion on this server (-protectedImages): ${name}`,
      );
    services.log(`DeleteImage(${name})${byUser(call)}`);
    await services.images.remove(name, { by: call.identity.user });
    return {};
  },
});
