import { CheckDirectoryRequest, CheckDirectoryResponse } from '../wire/messages/imageserver.ts';
import { defineUnary } from './method.ts';

export const checkDirectory = defineUnary({
  name: 'ImageServer.CheckDirectory',
  summary: 'Tells whether an image directory exists; "." is the top level.',
  public: true,
  unauthenticatedRead: true,
  mutates: false,
  request: CheckDirectoryRequest,
  reply: CheckDirectoryResponse,
  handle: (services, request) => ({ DirectoryExists: services.images.hasDirectory(request.DirectoryName) }),
});
