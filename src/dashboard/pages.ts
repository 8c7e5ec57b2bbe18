/** All pages for people; the lists are here. */
import { Elysia } from 'elysia';
import type { HttpDeps } from '../http/deps.ts';
import { rawQuery } from '../http/entrance.ts';
import { Catalogue } from '../http/images/catalogue.ts';
import { pageReply } from '../http/page-reply.ts';
import { textReply } from '../http/reply.ts';
import { imagePages } from './image-pages.ts';
import { listDirectoriesPage } from './list-directories.tsx';
import { listImagesPage } from './list-images.tsx';
import { listTrashPage } from './list-trash.tsx';
import { offsetOf, pageQuery } from './page-query.ts';
import { statusPage } from './status.tsx';

/** One name a line: the text form of a list. */
function names(request: Request, list: Iterable<string>): Response | Promise<Response> {
  return textReply(request, [...list].map((name) => `${name}\n`).join(''));
}

export function pages(deps: HttpDeps) {
  const { images, now } = deps.services;
  const status = statusPage(deps);
  const catalogue = new Catalogue(images);
  const hidden = { detail: { hide: true } } as const;
  const asText = (request: Request) => rawQuery(request) === 'output=text';

  return new Elysia({ name: 'pages' })
    .get('/', ({ request }) => pageReply(request, status()), hidden)
    .get(
      '/listImages',
      ({ request }) =>
        asText(request)
          ? names(
              request,
              catalogue.all().map(({ name }) => name),
            )
          : pageReply(request, listImagesPage(catalogue, rawQuery(request))),
      hidden,
    )
    .get(
      '/listDirectories',
      ({ request }) =>
        asText(request)
          ? names(
              request,
              images.directories().map(({ Name }) => Name),
            )
          : pageReply(request, listDirectoriesPage(images.directories(), catalogue.all())),
      hidden,
    )
    .get(
      '/listTrash',
      ({ request }) =>
        pageReply(request, listTrashPage(images.trash(), offsetOf(pageQuery(rawQuery(request))), now())),
      hidden,
    )
    .use(imagePages(deps, catalogue));
}
