import { CheckObjectsRequest, CheckObjectsResponse } from '../wire/messages/objectserver.ts';
import { defineUnary } from './method.ts';

export const checkObjects = defineUnary({
  name: 'ObjectServer.CheckObjects',
  summary: 'Sizes of objects in the order asked for; 0 = not here.',
  public: false,
  unauthenticatedRead: true,
  mutates: false,
  request: CheckObjectsRequest,
  reply: CheckObjectsResponse,
  handle: (services, request) => ({ ObjectSizes: services.objects.sizes(request.Hashes).map(BigInt) }),
});
