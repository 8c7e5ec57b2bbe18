/** /showImage and the pages that show one part of an image each. */
import { Html } from '@elysiajs/html';
import { percentEncode } from '../http/percent.ts';
import { formatBytes } from '../image/format.ts';
import { walkTree } from '../image/tree.ts';
import type { ImageEntry } from '../store/types.ts';
import type { Tree } from '../wire/messages/filesystem.ts';
import type { Annotation, Image } from '../wire/messages/image.ts';
import { isZeroTime, toMillis } from '../wire/time.ts';
import { frame } from './frame.tsx';
import { filesAddress, imagePage } from './image-frame.tsx';
import { table } from './tables.tsx';
import { attribute, durationText, timeText, visible, visibleLine } from './words.ts';

/** Only links that lead to a web page; anything else a stored URL may say is shown as text. */
function annotationLink(label: string, path: string, name: string, annotation: Annotation | null): string {
  if (!annotation) return '';
  if (annotation.Object)
    return (
      <p>
        <a href={`/${path}?${name}`} safe>
          {label}
        </a>
      </p>
    ) as string;
  return /^https?:\/\//i.test(annotation.URL)
    ? ((
        <p>
          <a href={attribute(annotation.URL)} rel="noreferrer noopener" safe>
            {label}
          </a>
        </p>
      ) as string)
    : ((<p safe>{`${label}: ${visible(annotation.URL)}`}</p>) as string);
}

function filterLine(entry: ImageEntry, name: string): string {
  if (entry.filterLines === undefined) return (<p>Image has no filter: sparse image</p>) as string;
  if (entry.filterLines === 0) return (<p>Filter has 0 lines (empty filter: full coverage)</p>) as string;
  return (
    <p>
      Filter has <a href={`/listFilter?${name}`}>{entry.filterLines}</a> lines
    </p>
  ) as string;
}

/** A fact with a link where there is something to see. */
function fact(what: string, text: string, href?: string): string {
  // Without a link in one piece: scripts look for such lines.
  if (href === undefined) return (<p safe>{visible(`${what}: ${text}`)}</p>) as string;
  return (
    <p>
      {`${what}: ` as 'safe'}
      <a href={attribute(href)} rel="noreferrer" safe>
        {visible(text)}
      </a>
    </p>
  ) as string;
}

/** What the image says of itself beside the original's lines. */
function moreFacts(entry: ImageEntry, header: Image, sourceIsHere: boolean): string[] {
  const { SourceImage: source, BuildGitUrl: url } = header;
  const facts: [string, string, (string | undefined)?][] = [
    ['Created for', entry.createdFor],
    ['Owner users', entry.ownerUsers.join(', ')],
    ['Owner groups', entry.ownerGroups.join(', ')],
    ['Source image', source, sourceIsHere ? `/showImage?${percentEncode(source)}` : undefined],
    ['Git URL', url, /^https?:\/\//i.test(url) ? url : undefined],
    ['Git branch', entry.buildBranch],
    ['Git commit', entry.buildCommitId],
    ...[...entry.tags].map(([key, value]): [string, string, string] => [
      'Tag',
      value === '' ? key : `${key}=${value}`,
      `/listImages?tag=${percentEncode(value === '' ? key : `${key}=${value}`)}`,
    ]),
  ];
  return facts.filter(([, text]) => text !== '').map(([what, text, href]) => fact(what, text, href));
}

/** What an image may be compared with: the one before it, or any. */
function compareForm(entry: ImageEntry, previous: string | undefined): string {
  return (
    <form class="filter" method="get" action="/showDifferences" aria-label="Compare">
      <input type="hidden" name="name" value={attribute(entry.name)} />
      <label for="with">Compare with</label>
      <input
        id="with"
        type="text"
        name="with"
        required
        value={attribute(previous ?? '')}
        placeholder="Name of an image"
      />
      <button type="submit">Show changes</button>
    </form>
  ) as string;
}

/** Other images that the page mentions, as far as they are here. */
export interface Relatives {
  /** The one before it in its directory. */
  readonly previous: string | undefined;
  readonly sourceIsHere: boolean;
}

export function showImagePage(entry: ImageEntry, header: Image, relatives: Relatives, now: number): string {
  const name = percentEncode(entry.name);
  const expires = toMillis(entry.expiresAt);
  const created = toMillis(entry.createdOn);
  const body = (
    <>
      <section class="summary" aria-label="Summary">
        <p>
          Data size: <a href={`/listImage?${name}`}>{formatBytes(entry.dataBytes) as 'safe'}</a>
        </p>
        <p>Number of data inodes: {entry.regularInodes}</p>
        {entry.computedInodes > 0 ? (
          <p>
            Number of computed inodes: <a href={`/listComputedInodes?${name}`}>{entry.computedInodes}</a>
          </p>
        ) : (
          ''
        )}
        {filterLine(entry, name) as 'safe'}
        {entry.triggers ? (
          <p>
            Number of triggers: <a href={`/listTriggers?${name}`}>{entry.triggers}</a>
          </p>
        ) : (
          <p>Image has no triggers</p>
        )}
        {isZeroTime(entry.expiresAt) ? (
          ''
        ) : (
          <p safe>{`Expires at: ${timeText(entry.expiresAt)} (in ${durationText(expires - now)})`}</p>
        )}
        {annotationLink('Release notes', 'listReleaseNotes', name, header.ReleaseNotes) as 'safe'}
        {annotationLink('Build log', 'listBuildLog', name, header.BuildLog) as 'safe'}
        {entry.createdBy ? (fact('Created by', entry.createdBy) as 'safe') : ''}
        {isZeroTime(entry.createdOn) ? (
          ''
        ) : (
          <p safe>{`Created on: ${timeText(entry.createdOn)} (${durationText(now - created)} old)`}</p>
        )}
        {entry.packages > 0 ? (
          <p>
            Packages: <a href={`/listPackages?${name}`}>{entry.packages}</a>
          </p>
        ) : (
          ''
        )}
        {moreFacts(entry, header, relatives.sourceIsHere) as 'safe'[]}
      </section>
      {compareForm(entry, relatives.previous) as 'safe'}
      <p class="actions">
        <a href={`/images/${name}?fileSystem=false`}>Metadata as JSON</a>
        <a href={`/images/${name}`}>All as JSON</a>
        <a href={`/images/${name}.tar.gz`}>Archive (tar.gz)</a>
      </p>
    </>
  );
  return imagePage(
    entry,
    '/showImage',
    `image ${entry.name}`,
    `Information for image: ${entry.name}`,
    body as string,
  );
}

/** Which page of an image, and what stands above it. */
interface Part {
  readonly path: string;
  readonly title: string;
  readonly heading: string;
}

/** A page that is one preformatted text; `empty` stands there if there is none. */
export function textPage(entry: ImageEntry, part: Part, text: string, empty = ''): string {
  const body =
    text === '' && empty !== '' ? (
      <p class="faint" safe>
        {empty}
      </p>
    ) : (
      <pre class="listing" tabindex="0" safe>
        {text.split('\n').map(visibleLine).join('\n')}
      </pre>
    );
  return imagePage(entry, part.path, part.title, part.heading, body as string);
}

/** As `textPage`, in pieces: for listings of large trees, which come as HTML. */
export function* longTextPage(
  entry: ImageEntry,
  part: Part,
  lines: Iterable<Uint8Array>,
): Generator<Uint8Array> {
  const [before, after] = textPage(entry, part, LINES_HERE).split(LINES_HERE) as [string, string];
  yield Buffer.from(before);
  yield* lines;
  yield Buffer.from(after);
}
/** Stands for the lines; nobody can give it as a name. */
const LINES_HERE = crypto.randomUUID();

export function packagesPage(entry: ImageEntry, packages: Image['Packages']): string {
  const escaped = percentEncode(entry.name);
  const rows = packages.map((one) => [
    { text: one.Name },
    { text: one.Version },
    { text: formatBytes(one.Size), number: true },
  ]);
  const body = (
    <>
      <p>
        <a href={`/listPackages?${escaped}&output=text`}>text</a>{' '}
        <a href={`/listPackages?${escaped}&output=json`}>json</a>
      </p>
      {rows.length > 0 ? (
        (table('Packages', ['Name', 'Version', 'Size'], rows) as 'safe')
      ) : (
        <p class="faint">The image has no list of packages.</p>
      )}
    </>
  );
  return imagePage(
    entry,
    '/listPackages',
    `image ${entry.name} packages`,
    `Packages in image: ${entry.name}`,
    body as string,
  );
}

export function computedPage(entry: ImageEntry, tree: Tree | null): string {
  const rows = [];
  for (const { path, inode } of tree ? walkTree(tree) : [])
    if (inode.Kind === 'computed')
      rows.push([{ text: path, href: filesAddress(entry.name, path) }, { text: inode.Source }]);
  const body =
    rows.length > 0
      ? table('Computed files', ['Filename', 'Data Source'], rows)
      : ((<p class="faint">The image has no computed files.</p>) as string);
  return imagePage(
    entry,
    '/listComputedInodes',
    `image ${entry.name} computed inodes`,
    `Computed files for image: ${entry.name}`,
    body,
  );
}

/** A page that says one thing about an image that is here. */
export function notePage(entry: ImageEntry, path: string, text: string): string {
  return imagePage(entry, path, `image ${entry.name}`, text, '');
}

/** What is shown in place of an image that is not here. `deleted`: it can be brought back. */
export function unknownImagePage(name: string, deleted: boolean): string {
  const base = name.slice(name.lastIndexOf('/') + 1).replace(/\.\d+$/, '');
  const body = (
    <>
      <h1 safe>{visible(`Image: ${name} UNKNOWN!`)}</h1>
      {deleted ? (
        <p>
          It was deleted and <a href="/listTrash">can be brought back</a>.
        </p>
      ) : (
        ''
      )}
      <p>
        {base === '' ? (
          ''
        ) : (
          <>
            <a href={`/listImages?name=${encodeURIComponent(base.toWellFormed())}`}>Images of such a name</a>,{' '}
          </>
        )}
        <a href="/listImages">all images</a>
      </p>
    </>
  );
  return frame({ title: 'unknown image', path: '', body: body as string });
}
