import { checkChown } from '../access/ownership.ts';
import { ImageServerError } from '../errors.ts';
import { cleanPath } from '../image/paths.ts';
import { ChownDirectoryRequest, ChownDirectoryResponse } from '../wire/messages/imageserver.ts';
import { defineUnary } from './method.ts';

export const chownDirectory = defineUnary({
  name: 'ImageServer.ChownDirectory',
  summary: 'Sets the owner group of an image directory; an empty group clears it.',
  public: true,
  unauthenticatedRead: false,
  mutates: true,
  request: ChownDirectoryRequest,
  reply: ChownDirectoryResponse,
  async handle(services, request, call) {
    const directory = cleanPath(request.DirectoryName);
    const group = request.OwnerGroup;
    call.subject = directory;
    const { user } = call.identity;
    if (!user) throw new ImageServerError('UNAUTHENTICATED', 'no username: unauthenticated connection');
    if (services.master) {
      await services.master.chownDirectory(directory, group, call);
      return {};
    }
    if (group && !services.groupExists(group))
      throw new ImageServerError('INVALID_REQUEST', `group: unknown group ${group}`);
    checkChown(call, services.images, directory, group);
    services.log(`ChownDirectory(${directory}) to: "${group}" by ${user}`);
    await services.images.setOwnerGroup(directory, group);
    return {};
  },
});
