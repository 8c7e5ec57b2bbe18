import { checkMakeDirectory } from '../access/ownership.ts';
import { ImageServerError } from '../errors.ts';
import { cleanPath, parentDirectory } from '../image/paths.ts';
import { MakeDirectoryRequest, MakeDirectoryResponse } from '../wire/messages/imageserver.ts';
import { byUser } from './log-text.ts';
import { type Call, defineUnary } from './method.ts';
import { refuseOnReplica } from './replica.ts';
import type { Services } from './services.ts';

async function makeOne(services: Services, directory: string, call: Call): Promise<void> {
  const parent = parentDirectory(directory);
  if (!services.images.hasDirectory(parent))
    throw new ImageServerError('DIRECTORY_NOT_FOUND', `no metadata for: ${parent}`);
  checkMakeDirectory(call, services.images, parent);
  services.log(`MakeDirectory(${directory})${byUser(call)}`);
  await services.images.makeDirectory(directory, services.images.ownerGroup(parent) ?? '');
}

export const makeDirectory = defineUnary({
  name: 'ImageServer.MakeDirectory',
  summary:
    "Makes an image directory; it inherits the parent's owner group. MakeAll makes missing parents too.",
  public: false,
  unauthenticatedRead: false,
  mutates: true,
  request: MakeDirectoryRequest,
  reply: MakeDirectoryResponse,
  async handle(services, request, call) {
    const directory = cleanPath(request.DirectoryName);
    call.subject = directory;
    refuseOnReplica(services);
    if (!request.MakeAll) {
      if (services.images.hasDirectory(directory))
        throw new ImageServerError('DIRECTORY_EXISTS', `directory: ${directory} already exists`);
      await makeOne(services, directory, call);
      return {};
    }
    const parts = directory.split('/');
    for (let depth = 1; depth <= parts.length; depth++) {
      const path = parts.slice(0, depth).join('/');
      if (!services.images.hasDirectory(path)) await makeOne(services, path, call);
    }
    return {};
  },
});
