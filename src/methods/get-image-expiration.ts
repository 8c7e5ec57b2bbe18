import { GetImageExpirationRequest, GetImageExpirationResponse } from '../wire/messages/imageserver.ts';
import { ZERO_TIME } from '../wire/time.ts';
import { defineUnary } from './method.ts';

export const getImageExpiration = defineUnary({
  name: 'ImageServer.GetImageExpiration',
  summary: 'Tells when an image expires; the zero time means never.',
  public: true,
  unauthenticatedRead: true,
  mutates: false,
  request: GetImageExpirationRequest,
  reply: GetImageExpirationResponse,
  handle(services, request) {
    const entry = services.images.get(request.ImageName);
    return entry
      ? { Error: '', ExpiresAt: entry.expiresAt }
      : { Error: 'image not found', ExpiresAt: ZERO_TIME };
  },
});
