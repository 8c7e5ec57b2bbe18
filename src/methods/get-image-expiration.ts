import { ImageServerError } from '../errors.ts';
import { GetImageExpirationRequest, GetImageExpirationResponse } from '../wire/messages/imageserver.ts';
import { isZeroTime, ZERO_TIME } from '../wire/time.ts';
import { defineUnary } from './method.ts';
import { askedFor } from './old-replicas.ts';

export const getImageExpiration = defineUnary({
  name: 'ImageServer.GetImageExpiration',
  summary: 'Tells when an image expires; the zero time means never.',
  public: true,
  unauthenticatedRead: true,
  mutates: false,
  request: GetImageExpirationRequest,
  reply: GetImageExpirationResponse,
  handle(services, request, call) {
    const entry = services.images.get(request.ImageName);
    if (entry) {
      if (!isZeroTime(entry.expiresAt)) askedFor(services, call, entry.name);
      return { Error: '', ExpiresAt: entry.expiresAt };
    }
    call.failure = new ImageServerError('IMAGE_NOT_FOUND', 'image not found');
    return { Error: call.failure.message, ExpiresAt: ZERO_TIME };
  },
});
