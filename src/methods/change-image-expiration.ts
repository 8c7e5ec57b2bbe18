import { checkImageOwnership } from '../access/ownership.ts';
import { asImageServerError, ImageServerError } from '../errors.ts';
import { ChangeImageExpirationRequest, ChangeImageExpirationResponse } from '../wire/messages/imageserver.ts';
import { type GoTime, isZeroTime } from '../wire/time.ts';
import { byUser } from './log-text.ts';
import { type Call, defineUnary } from './method.ts';
import { refuseOnReplica } from './replica.ts';
import type { Services } from './services.ts';

async function change(services: Services, name: string, expiresAt: GoTime, call: Call): Promise<void> {
  refuseOnReplica(services);
  const entry = services.images.get(name);
  if (!entry) throw new ImageServerError('IMAGE_NOT_FOUND', 'image not found');
  checkImageOwnership(call, services.images, name);
  if (isZeroTime(entry.expiresAt)) throw new ImageServerError('NOT_EXPIRING', 'image does not expire');
  if (!isZeroTime(expiresAt)) {
    if (expiresAt.unixNanos < entry.expiresAt.unixNanos)
      throw new ImageServerError('CONFLICT', 'cannot shorten expiration time');
    if (expiresAt.unixNanos === entry.expiresAt.unixNanos) return;
  }
  services.log(`ChangeImageExpiration(${name})${byUser(call)}`);
  await services.images.setExpiry(name, expiresAt);
}

export const changeImageExpiration = defineUnary({
  name: 'ImageServer.ChangeImageExpiration',
  summary: 'Extends the life of an expiring image; the zero time makes it permanent.',
  public: true,
  unauthenticatedRead: false,
  mutates: true,
  request: ChangeImageExpirationRequest,
  reply: ChangeImageExpirationResponse,
  async handle(services, request, call) {
    call.subject = request.ImageName;
    try {
      await change(services, request.ImageName, request.ExpiresAt, call);
      return { Error: '' };
    } catch (thrown) {
      // This call reports every failure inside its reply; what is not ours stays a transport error.
      const error = asImageServerError(thrown);
      if (error.code === 'INTERNAL') throw error;
      call.failure = error;
      return { Error: error.message };
    }
  },
});
