/** Image directories as resources. */
import { Elysia } from 'elysia';
import { ImageServerError } from '../../errors.ts';
import { checkDirectoryName } from '../../image/names.ts';
import { parentDirectory } from '../../image/paths.ts';
import { chownDirectory } from '../../methods/chown-directory.ts';
import { makeDirectory } from '../../methods/make-directory.ts';
import type { Services } from '../../methods/services.ts';
import { toJson } from '../../wire/json.ts';
import { Directory, DirectoryMetadata } from '../../wire/messages/image.ts';
import { authorize, runCall } from '../authorize.ts';
import { readText } from '../body.ts';
import { checkMediaType } from '../browser-guard.ts';
import type { HttpDeps } from '../deps.ts';
import { rawPath } from '../entrance.ts';
import { describe } from '../openapi/operation.ts';
import { percentDecode } from '../percent.ts';
import { readQuery } from '../query.ts';
import { jsonReply } from '../reply.ts';
import { decodeParameters } from '../rpc/decode.ts';
import { DIRECTORIES_DOC } from './description.ts';
import { MAKE_QUERY } from './query.ts';

const PREFIX = '/directories/';
const MAX_BODY = 64 * 1024;

/** Throws INVALID_NAME. */
function nameOf(request: Request): string {
  const name = percentDecode(rawPath(request).slice(PREFIX.length));
  checkDirectoryName(name);
  return name;
}

/** A directory with what is directly inside it. Throws DIRECTORY_NOT_FOUND. */
function directoryJson({ images }: Services, name: string): string {
  const OwnerGroup = images.ownerGroup(name);
  if (!images.hasDirectory(name))
    throw new ImageServerError('DIRECTORY_NOT_FOUND', `no such directory: ${JSON.stringify(name)}`);
  const inside = (other: string) => other !== '.' && parentDirectory(other) === name;
  const directories = images.directories().filter((one) => inside(one.Name));
  let count = 0;
  for (const image of images.names()) if (inside(image)) count++;
  return JSON.stringify({
    Name: name,
    Metadata: { OwnerGroup: OwnerGroup ?? '' },
    Directories: directories.map((one) => one.Name),
    Images: count,
  });
}

export function directories(deps: HttpDeps) {
  const { services } = deps;
  return new Elysia({ name: 'directories' })
    .get(
      '/directories',
      ({ request }) => {
        authorize(deps, request, 'ImageServer.ListDirectories');
        const list = services.images.directories().map((directory) => toJson(Directory, directory));
        return jsonReply(request, `{"Directories":[${list.join(',')}]}`);
      },
      { detail: describe(DIRECTORIES_DOC) },
    )
    .get('/directories/*', ({ request }) => {
      authorize(deps, request, 'ImageServer.ListDirectories');
      return jsonReply(request, directoryJson(services, nameOf(request)));
    })
    .put('/directories/*', ({ request }) =>
      runCall(deps, request, makeDirectory, async (call) => {
        const DirectoryName = nameOf(request);
        call.subject = DirectoryName;
        if (services.images.hasDirectory(DirectoryName))
          return jsonReply(request, directoryJson(services, DirectoryName));
        const { parents: MakeAll = false } = readQuery(request, MAKE_QUERY);
        await makeDirectory.handle(services, { DirectoryName, MakeAll }, call);
        return jsonReply(request, directoryJson(services, DirectoryName), { status: 201 });
      }),
    )
    .patch(
      '/directories/*',
      ({ request }) => {
        checkMediaType(request, ['application/json', 'application/merge-patch+json']);
        return runCall(deps, request, chownDirectory, async (call) => {
          const DirectoryName = nameOf(request);
          const { OwnerGroup } = decodeParameters(DirectoryMetadata, await readText(request, MAX_BODY));
          await chownDirectory.handle(services, { DirectoryName, OwnerGroup }, call);
          return jsonReply(request, directoryJson(services, DirectoryName));
        });
      },
      { parse: 'none' },
    );
}
