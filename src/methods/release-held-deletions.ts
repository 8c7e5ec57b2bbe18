import { ImageServerError } from '../errors.ts';
import { ReleaseHeldDeletionsRequest, ReleaseHeldDeletionsResponse } from '../wire/messages/extensions.ts';
import { byUser } from './log-text.ts';
import { defineUnary } from './method.ts';

export const releaseHeldDeletions = defineUnary({
  name: 'ImageServer.ReleaseHeldDeletions',
  summary: 'Lets deletions happen that a replica has held back because there were so many.',
  public: false,
  unauthenticatedRead: false,
  mutates: true,
  request: ReleaseHeldDeletionsRequest,
  reply: ReleaseHeldDeletionsResponse,
  async handle(services, request, call) {
    const { ImageNames: names, All: all } = request;
    call.subject = all ? 'all' : names.join(' ');
    if (all === names.length > 0)
      throw new ImageServerError('INVALID_REQUEST', 'either all or some images must be named');
    if (!services.replication) throw new ImageServerError('CONFLICT', 'this server is not a replica');
    services.log(`ReleaseHeldDeletions(${call.subject})${byUser(call)}`);
    return { ImageNames: await services.replication.releaseDeletions(all ? undefined : names) };
  },
});
