import { CheckImageRequest, CheckImageResponse } from '../wire/messages/imageserver.ts';
import { defineUnary } from './method.ts';

export const checkImage = defineUnary({
  name: 'ImageServer.CheckImage',
  summary: 'Tells whether an image exists.',
  public: true,
  unauthenticatedRead: true,
  mutates: false,
  request: CheckImageRequest,
  reply: CheckImageResponse,
  handle(services, request) {
    const answer = () => ({ ImageExists: services.images.has(request.ImageName) });
    return services.images.pending(request.ImageName)?.then(answer) ?? answer();
  },
});
