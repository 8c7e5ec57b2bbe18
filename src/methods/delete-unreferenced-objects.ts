import {
  DeleteUnreferencedObjectsRequest,
  DeleteUnreferencedObjectsResponse,
} from '../wire/messages/imageserver.ts';
import { byUser } from './log-text.ts';
import { defineUnary } from './method.ts';
import { untilBoth } from './unreferenced-wanted.ts';

export const deleteUnreferencedObjects = defineUnary({
  name: 'ImageServer.DeleteUnreferencedObjects',
  summary:
    'Deletes objects that no image uses, oldest first, until both the percentage of their number and the bytes are reached.',
  public: false,
  unauthenticatedRead: false,
  mutates: true,
  request: DeleteUnreferencedObjectsRequest,
  reply: DeleteUnreferencedObjectsResponse,
  async handle(services, request, call) {
    call.subject = `${request.Percentage}%, ${request.Bytes} bytes`;
    services.log(`DeleteUnreferencedObjects(${request.Percentage}%, ${request.Bytes})${byUser(call)}`);
    await services.objects.collect(untilBoth(services.objects, request));
    return {};
  },
});
