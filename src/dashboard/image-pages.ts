/**
 * The pages about one image, most of them under the original's paths. There the image is named by the whole query: as it
 * is, or percent-decoded as browsers send it. What is not there is answered with 404 and the original's text.
 */

import { Html } from '@elysiajs/html';
import { Elysia } from 'elysia';
import { methodNamed } from '../http/authorize.ts';
import type { HttpDeps } from '../http/deps.ts';
import { rawQuery } from '../http/entrance.ts';
import { BothTrees } from '../http/images/both-trees.ts';
import type { Catalogue } from '../http/images/catalogue.ts';
import { type Found, lookUp } from '../http/images/tree.ts';
import { readObject, readStart } from '../http/objects/object-chunks.ts';
import { longPageReply, pageReply } from '../http/page-reply.ts';
import { percentDecodeLoosely } from '../http/percent.ts';
import { textReply } from '../http/reply.ts';
import { stateOf } from '../http/request-state.ts';
import { gathered } from '../http/text-stream.ts';
import { encodedListing } from '../image/encoded-listing.ts';
import { parentDirectory } from '../image/paths.ts';
import type { ImageEntry } from '../store/types.ts';
import type { GenericInode, Tree } from '../wire/messages/filesystem.ts';
import type { Annotation } from '../wire/messages/image.ts';
import { Comparisons } from './comparisons.ts';
import {
  computedPage,
  longTextPage,
  notePage,
  packagesPage,
  showImagePage,
  textPage,
  unknownImagePage,
} from './image-page.tsx';
import { offsetOf, pageQuery } from './page-query.ts';
import { differenceRow, differencesPage, ROWS } from './show-differences.tsx';
import { directoryPage, filePage, type Look } from './show-files.tsx';
import { visibleLine } from './words.ts';

/** Largest release notes or build log that is shown on a page, bytes. */
const MAX_SHOWN = 16 * 1024 * 1024;
/** Of a file's contents so much is shown, bytes. */
const MAX_LOOK = 64 * 1024;

type Reply = Response | Promise<Response>;

export function imagePages(deps: HttpDeps, catalogue: Catalogue) {
  const { images, objects } = deps.services;
  const hidden = { detail: { hide: true } } as const;

  const unknown = (request: Request, name: string) => {
    const deleted = images.trash().some((one) => one.name === name);
    return pageReply(request, unknownImagePage(name, deleted), 404);
  };

  const named = (query: string) => images.get(query) ?? images.get(percentDecodeLoosely(query));

  /** A page about the image that the query names. */
  const aboutImage =
    (show: (entry: ImageEntry, request: Request) => Reply) =>
    ({ request }: { request: Request }) => {
      const query = rawQuery(request);
      const entry = named(query);
      return entry ? show(entry, request) : unknown(request, percentDecodeLoosely(query));
    };

  const annotation = async (
    request: Request,
    entry: ImageEntry,
    path: string,
    what: string,
    note: Annotation | null,
  ): Promise<Response> => {
    const { name } = entry;
    if (!note) return pageReply(request, notePage(entry, path, `No ${what} for image: ${name}`));
    if (!note.Object) return pageReply(request, notePage(entry, path, `No ${what} data for image: ${name}`));
    const object = objects.open(note.Object);
    try {
      if (object.size > MAX_SHOWN)
        return new Response(null, { status: 303, headers: { location: `/objects/${note.Object}` } });
      const lines = new TextDecoder().decode(await readObject(object)).split('\n');
      const part = { path, title: `image ${name}`, heading: `${what} for image: ${name}` };
      const html = gathered(lines.map((line) => `${Html.escapeHtml(visibleLine(line))}\n`));
      return longPageReply(request, longTextPage(entry, part, html));
    } finally {
      object.close();
    }
  };

  const packages = async (request: Request): Promise<Response> => {
    const parts = rawQuery(request).split('&');
    const names = parts.filter((part) => !part.startsWith('output='));
    if (names.length > 1) return textReply(request, 'more than one image\n', undefined, { status: 400 });
    const query = names[0] ?? '';
    const entry = named(query);
    // The original answers nothing; a browser is shown something.
    if (!entry) return unknown(request, percentDecodeLoosely(query));
    const { Packages } = await images.header(entry.name);
    if (parts.includes('output=text'))
      return textReply(request, Packages.map((one) => `${one.Name} ${one.Version} ${one.Size}\n`).join(''));
    if (parts.includes('output=json')) {
      const list = Packages.map(({ Name, Size, Version }) => ({ Name, Size: Number(Size), Version }));
      return textReply(request, `${list.length === 0 ? 'null' : JSON.stringify(list, null, 4)}\n`);
    }
    return pageReply(request, packagesPage(entry, Packages));
  };

  const summary = async (entry: ImageEntry, request: Request): Promise<Response> => {
    const header = await images.header(entry.name);
    const all = catalogue.all();
    const before = all[all.indexOf(entry) - 1]?.name;
    const directory = parentDirectory(entry.name);
    const relatives = {
      previous: before !== undefined && parentDirectory(before) === directory ? before : undefined,
      sourceIsHere: images.has(header.SourceImage),
    };
    return pageReply(request, showImagePage(entry, header, relatives, deps.services.now()));
  };

  /** A look at a file, for those who may read objects. */
  const lookAt = async (request: Request, inode: GenericInode): Promise<Look | undefined> => {
    if (inode.Kind !== 'regular') return undefined;
    if (inode.Size === 0n) return { none: 'The file is empty.' };
    const { identity } = stateOf(request);
    if (!deps.decide(identity, methodNamed('ObjectServer.GetObjects')).allowed)
      return { none: 'Contents are shown to those who may read objects: come by HTTPS, with a certificate.' };
    if (objects.size(inode.Hash) === 0) return { none: 'The object with the contents is not here.' };
    const object = objects.open(inode.Hash);
    try {
      const bytes = await readStart(object, MAX_LOOK);
      // The last character may be cut in two.
      const text = new TextDecoder().decode(bytes, { stream: true });
      if (bytes.includes(0) || text.includes('\ufffd')) return { none: 'The contents are not text.' };
      return { text, cut: object.size > bytes.length };
    } finally {
      object.close();
    }
  };

  /** Where a symbolic link leads; undefined if nowhere in the image. */
  const followed = (tree: Tree, path: string, inode: GenericInode): string | undefined => {
    if (inode.Kind !== 'symlink') return undefined;
    try {
      return lookUp(tree, path, true).path;
    } catch {
      return undefined;
    }
  };

  const files = async (request: Request): Promise<Response> => {
    const fields = pageQuery(rawQuery(request));
    const name = fields.get('name') ?? '';
    const entry = images.get(name);
    if (!entry) return unknown(request, name);
    const source = await images.tree(name, request.signal);
    const tree = source.image.FileSystem;
    if (!tree) return pageReply(request, notePage(entry, '/showFiles', `No files in image: ${name}`));
    const found: Found = lookUp(tree, fields.get('path') ?? '/', false);
    const { path, inode } = found;
    if (inode.Kind === 'directory')
      return pageReply(request, directoryPage(entry, tree, path, inode, offsetOf(fields)));
    const look = await lookAt(request, inode);
    await source.use();
    return pageReply(request, filePage(entry, path, inode, followed(tree, path, inode), look));
  };

  const comparisons = new Comparisons(differenceRow);
  const changes = async (request: Request): Promise<Response> => {
    const fields = pageQuery(rawQuery(request));
    const [left, right] = [fields.get('with') ?? '', fields.get('name') ?? ''];
    for (const name of [left, right]) if (!images.has(name)) return unknown(request, name);
    const offset = offsetOf(fields);
    const [before, after] = [images.get(left) as ImageEntry, images.get(right) as ImageEntry];
    const { signal } = request;
    const open = async () => new BothTrees(await images.tree(left, signal), await images.tree(right, signal));
    const versions = `${before.identity}-${after.identity}`;
    const found = await comparisons.page(versions, offset, ROWS, open);
    return pageReply(request, differencesPage(before, after, found, offset));
  };

  return new Elysia({ name: 'image-pages' })
    .get('/showImage', aboutImage(summary), hidden)
    .get('/showFiles', ({ request }) => files(request), hidden)
    .get('/showDifferences', ({ request }) => changes(request), hidden)
    .get(
      '/listImage',
      aboutImage(async (entry, request) => {
        const tree = await images.tree(entry.name, request.signal);
        const heading = `File-system data for image: ${entry.name}`;
        const root = tree.image.FileSystem?.DirectoryInode;
        const lines = tree.inodes && root ? encodedListing(tree.inodes, root, { visible: visibleLine }) : [];
        const part = { path: '/listImage', title: `image ${entry.name}`, heading };
        return longPageReply(request, longTextPage(entry, part, lines), tree);
      }),
      hidden,
    )
    .get(
      '/listFilter',
      aboutImage(async (entry, request) => {
        const { Filter } = await images.header(entry.name);
        const text = Filter ? Filter.FilterLines.join('\n') : 'Sparse filter';
        const heading = `Filter lines for image: ${entry.name}`;
        const part = { path: '/listFilter', title: `filter ${entry.name}`, heading };
        return pageReply(
          request,
          textPage(entry, part, text, 'The filter is empty: the image covers everything.'),
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
        const heading = `Triggers for image: ${entry.name}`;
        return pageReply(
          request,
          textPage(entry, { path: '/listTriggers', title: `triggers ${entry.name}`, heading }, text),
        );
      }),
      hidden,
    )
    .get('/listPackages', ({ request }) => packages(request), hidden)
    .get(
      '/listReleaseNotes',
      aboutImage(async (entry, request) => {
        const { ReleaseNotes } = await images.header(entry.name);
        return annotation(request, entry, '/listReleaseNotes', 'release notes', ReleaseNotes);
      }),
      hidden,
    )
    .get(
      '/listBuildLog',
      aboutImage(async (entry, request) => {
        const { BuildLog } = await images.header(entry.name);
        return annotation(request, entry, '/listBuildLog', 'build log', BuildLog);
      }),
      hidden,
    )
    .get(
      '/listComputedInodes',
      aboutImage(async (entry, request) => {
        // Most images have none: that is known without looking.
        const tree =
          entry.computedInodes > 0 ? (await images.tree(entry.name, request.signal)).image.FileSystem : null;
        return pageReply(request, computedPage(entry, tree));
      }),
      hidden,
    );
}
