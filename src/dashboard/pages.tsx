/**
 * The pages under the original's paths. The image is named by the whole query: as it is, or percent-decoded as browsers
 * send it. What is not there is answered with 404 and the original's text.
 */
import { Elysia } from 'elysia';
import type { HttpDeps } from '../http/deps.ts';
import { rawQuery } from '../http/entrance.ts';
import { Catalogue } from '../http/images/catalogue.ts';
import { readObject } from '../http/objects/object-chunks.ts';
import { longPageReply, pageReply } from '../http/page-reply.ts';
import { percentDecodeLoosely } from '../http/percent.ts';
import { textReply } from '../http/reply.ts';
import { listingLines } from '../image/listing.ts';
import type { ImageEntry } from '../store/types.ts';
import type { Annotation } from '../wire/messages/image.ts';
import {
  computedPage,
  longTextPage,
  messagePage,
  packagesPage,
  showImagePage,
  textPage,
} from './image-page.tsx';
import { listDirectoriesPage } from './list-directories.tsx';
import { listImagesPage } from './list-images.tsx';
import { statusPage } from './status.tsx';

/** Largest release notes or build log that is shown on a page, bytes. */
const MAX_SHOWN = 16 * 1024 * 1024;

type Reply = Response | Promise<Response>;

export function pages(deps: HttpDeps) {
  const { images, objects } = deps.services;
  const status = statusPage(deps);
  const hidden = { detail: { hide: true } } as const;

  const catalogue = new Catalogue(images);
  const unknown = (request: Request, name: string) =>
    pageReply(request, messagePage(`Image: ${name} UNKNOWN!`), 404);

  /** A page about the image that the query names. */
  const aboutImage =
    (show: (entry: ImageEntry, request: Request) => Reply) =>
    ({ request }: { request: Request }) => {
      const query = rawQuery(request);
      const entry = images.get(query) ?? images.get(percentDecodeLoosely(query));
      return entry ? show(entry, request) : unknown(request, percentDecodeLoosely(query));
    };

  const annotation = async (
    request: Request,
    name: string,
    what: string,
    note: Annotation | null,
  ): Promise<Response> => {
    if (!note) return pageReply(request, messagePage(`No ${what} for image: ${name}`));
    if (!note.Object) return pageReply(request, messagePage(`No ${what} data for image: ${name}`));
    const object = objects.open(note.Object);
    try {
      if (object.size > MAX_SHOWN)
        return new Response(null, { status: 303, headers: { location: `/objects/${note.Object}` } });
      const text = new TextDecoder().decode(await readObject(object));
      return pageReply(request, textPage(`image ${name}`, `${what} for image: ${name}`, text));
    } finally {
      object.close();
    }
  };

  const packages = async (request: Request): Promise<Response> => {
    const parts = rawQuery(request).split('&');
    const names = parts.filter((part) => !part.startsWith('output='));
    if (names.length > 1) return textReply(request, 'more than one image\n', undefined, { status: 400 });
    const query = names[0] ?? '';
    const entry = images.get(query) ?? images.get(percentDecodeLoosely(query));
    // The original answers nothing; a browser is shown something.
    if (!entry) return pageReply(request, messagePage(`Image: ${percentDecodeLoosely(query)} UNKNOWN!`), 404);
    const { Packages } = await images.header(entry.name);
    if (parts.includes('output=text'))
      return textReply(request, Packages.map((one) => `${one.Name} ${one.Version} ${one.Size}\n`).join(''));
    if (parts.includes('output=json')) {
      const list = Packages.map(({ Name, Size, Version }) => ({ Name, Size: Number(Size), Version }));
      return textReply(request, `${list.length === 0 ? 'null' : JSON.stringify(list, null, 4)}\n`);
    }
    return pageReply(request, packagesPage(entry.name, Packages));
  };

  return new Elysia({ name: 'pages' })
    .get('/', ({ request }) => pageReply(request, status()), hidden)
    .get(
      '/listImages',
      ({ request }) =>
        rawQuery(request) === 'output=text'
          ? textReply(
              request,
              catalogue
                .all()
                .map(({ name }) => `${name}\n`)
                .join(''),
            )
          : pageReply(request, listImagesPage(catalogue, rawQuery(request))),
      hidden,
    )
    .get(
      '/listDirectories',
      ({ request }) =>
        rawQuery(request) === 'output=text'
          ? textReply(
              request,
              images
                .directories()
                .map(({ Name }) => `${Name}\n`)
                .join(''),
            )
          : pageReply(request, listDirectoriesPage(images.directories())),
      hidden,
    )
    .get(
      '/showImage',
      aboutImage(async (entry, request) =>
        pageReply(request, showImagePage(entry, await images.header(entry.name), deps.services.now())),
      ),
      hidden,
    )
    .get(
      '/listImage',
      aboutImage(async (entry, request) => {
        const { FileSystem } = await images.decoded(entry.name);
        const heading = `File-system data for image: ${entry.name}`;
        const lines = FileSystem ? listingLines(FileSystem) : [];
        return longPageReply(request, longTextPage(`image ${entry.name}`, heading, lines));
      }),
      hidden,
    )
    .get(
      '/listFilter',
      aboutImage(async (entry, request) => {
        const { Filter } = await images.header(entry.name);
        const text = Filter ? Filter.FilterLines.join('\n') : 'Sparse filter';
        return pageReply(
          request,
          textPage(`filter ${entry.name}`, `Filter lines for image: ${entry.name}`, text),
        );
      }),
      hidden,
    )
    .get(
      '/listTriggers',
      aboutImage(async (entry, request) => {
        const { Triggers } = await images.header(entry.name);
        const list = Triggers?.Triggers ?? [];
        const text = !Triggers ? 'NO TRIGGERS' : list.length === 0 ? 'null' : JSON.stringify(list, null, 4);
        return pageReply(
          request,
          textPage(`triggers ${entry.name}`, `Triggers for image: ${entry.name}`, text),
        );
      }),
      hidden,
    )
    .get('/listPackages', ({ request }) => packages(request), hidden)
    .get(
      '/listReleaseNotes',
      aboutImage(async (entry, request) =>
        annotation(request, entry.name, 'release notes', (await images.header(entry.name)).ReleaseNotes),
      ),
      hidden,
    )
    .get(
      '/listBuildLog',
      aboutImage(async (entry, request) =>
        annotation(request, entry.name, 'build log', (await images.header(entry.name)).BuildLog),
      ),
      hidden,
    )
    .get(
      '/listComputedInodes',
      aboutImage(async (entry, request) =>
        pageReply(request, computedPage(entry.name, (await images.decoded(entry.name)).FileSystem)),
      ),
      hidden,
    );
}
