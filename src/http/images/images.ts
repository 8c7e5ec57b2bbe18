/** Images as resources. */
import { Elysia } from 'elysia';
import { ImageServerError } from '../../errors.ts';
import { deleteImage } from '../../methods/delete-image.ts';
import { authorize, runCall } from '../authorize.ts';
import type { HttpDeps } from '../deps.ts';
import { rawPath } from '../entrance.ts';
import { describe } from '../openapi/operation.ts';
import { HttpProblem } from '../problem.ts';
import { readQuery } from '../query.ts';
import { jsonReply } from '../reply.ts';
import { imageArchive } from './archive.ts';
import { Catalogue, entryJson } from './catalogue.ts';
import { LIST_DOC } from './description.ts';
import { imageDiff } from './diff.ts';
import { imageFile } from './image-files.ts';
import { type ImagePath, resolveImagePath } from './image-path.ts';
import { IMAGE_QUERY, LIST_QUERY, TREE_QUERY } from './query.ts';
import {
  checkConditions,
  entryNamed,
  GOB_TYPE,
  gobImage,
  jsonImage,
  negotiate,
  TAR_TYPE,
} from './read-image.ts';
import { lookUp, treeJson } from './tree.ts';

const PREFIX = '/images/';
async function readImage(deps: HttpDeps, request: Request, path: ImagePath): Promise<Response> {
  const { images } = deps.services;
  const entry = entryNamed(images, path.name);
  const type = negotiate(request, ['application/json', GOB_TYPE, TAR_TYPE]);
  if (type === undefined)
    throw new HttpProblem('NOT_ACCEPTABLE', `images come as application/json, ${GOB_TYPE} or ${TAR_TYPE}`);
  if (type === GOB_TYPE) return gobImage(request, images, entry);
  if (type === TAR_TYPE) {
    authorize(deps, request, 'ObjectServer.GetObjects');
    return imageArchive(request, deps.services, entry, false);
  }
  const { fileSystem = true } = readQuery(request, IMAGE_QUERY);
  return jsonImage(request, images, entry, fileSystem);
}

async function readTree(deps: HttpDeps, request: Request, path: ImagePath): Promise<Response> {
  const { images } = deps.services;
  const entry = entryNamed(images, path.name);
  const { offset = 0, limit = 1000 } = readQuery(request, TREE_QUERY);
  const headers = { etag: `W/"${entry.identity}"`, 'cache-control': 'private, no-cache' };
  const unchanged = checkConditions(request, headers.etag, headers);
  if (unchanged) return unchanged;
  const { FileSystem } = (await images.tree(entry.name, request.signal)).image;
  if (!FileSystem) throw new ImageServerError('FILE_NOT_FOUND', 'the image has no tree');
  return jsonReply(request, treeJson(FileSystem, lookUp(FileSystem, path.rest, false), offset, limit), {
    headers,
  });
}

export function images(deps: HttpDeps) {
  const { services } = deps;
  const catalogue = new Catalogue(services.images);
  const resolve = (request: Request) =>
    resolveImagePath(rawPath(request).slice(PREFIX.length), (name) => services.images.has(name));

  return new Elysia({ name: 'images' })
    .get(
      '/images',
      ({ request }) => {
        authorize(deps, request, 'ImageServer.ListImages');
        const { sort = 'name', order, offset = 0, limit = 100, ...filter } = readQuery(request, LIST_QUERY);
        const found = catalogue.find(filter, sort, order === 'desc');
        const page = found.slice(offset, offset + limit).map(entryJson);
        const next = offset + page.length < found.length ? offset + page.length : null;
        return jsonReply(
          request,
          `{"Images":[${page.join(',')}],"Offset":${offset},"Total":${found.length},"NextOffset":${next}}`,
        );
      },
      { detail: describe(LIST_DOC) },
    )
    .get('/images/*', ({ request }) => {
      const path = resolve(request);
      authorize(deps, request, 'ImageServer.GetImage');
      switch (path.aspect) {
        case 'image':
          return readImage(deps, request, path);
        case 'tree':
          return readTree(deps, request, path);
        case 'diff':
          return imageDiff(request, services, path.name, path.rest);
        case 'files':
          authorize(deps, request, 'ObjectServer.GetObjects');
          entryNamed(services.images, path.name);
          return imageFile(request, services, path.name, path.rest);
        default:
          authorize(deps, request, 'ObjectServer.GetObjects');
          return imageArchive(
            request,
            services,
            entryNamed(services.images, path.name),
            path.aspect === '.tar.gz',
          );
      }
    })
    .delete('/images/*', ({ request }) =>
      runCall(deps, request, deleteImage, async (call) => {
        const path = resolve(request);
        // Only an image is deleted, not an aspect of one.
        const ImageName = path.aspect === 'image' ? path.name : rawPath(request).slice(PREFIX.length);
        const entry = services.images.get(ImageName);
        if (entry) checkConditions(request, `"${entry.identity}"`, {});
        await deleteImage.handle(services, { ImageName }, call);
        return new Response(null, { status: 204 });
      }),
    );
}
