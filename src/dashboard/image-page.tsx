/** /showImage and the pages that show one part of an image each. */
import { Html } from '@elysiajs/html';
import { percentEncode } from '../http/percent.ts';
import { formatBytes } from '../image/format.ts';
import { parentDirectory } from '../image/paths.ts';
import { walkTree } from '../image/tree.ts';
import type { ImageEntry } from '../store/types.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import type { Annotation, Image } from '../wire/messages/image.ts';
import { isZeroTime, toMillis } from '../wire/time.ts';
import { frame } from './frame.tsx';
import { table } from './tables.tsx';
import { durationText, timeText } from './words.ts';

function page(title: string, body: unknown): string {
  return frame({ title, path: '', body: body as string });
}

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
          <a href={annotation.URL} rel="noreferrer noopener" safe>
            {label}
          </a>
        </p>
      ) as string)
    : ((<p safe>{`${label}: ${annotation.URL}`}</p>) as string);
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

/** What the image says of itself beside the original's lines. */
function moreFacts(entry: ImageEntry, header: Image): string[] {
  const tags = [...entry.tags].map(([key, value]) => `${key}=${value}`);
  const facts: [string, string][] = [
    ['Created for', entry.createdFor],
    ['Owner users', entry.ownerUsers.join(', ')],
    ['Owner groups', entry.ownerGroups.join(', ')],
    ['Source image', header.SourceImage],
    ['Git URL', header.BuildGitUrl],
    ['Git branch', entry.buildBranch],
    ['Git commit', entry.buildCommitId],
    ['Tags', tags.join(', ')],
  ];
  return facts.filter(([, value]) => value !== '').map(([what, value]) => `${what}: ${value}`);
}

export function showImagePage(entry: ImageEntry, header: Image, now: number): string {
  const name = percentEncode(entry.name);
  const expires = toMillis(entry.expiresAt);
  const created = toMillis(entry.createdOn);
  const body = (
    <>
      <h1 safe>{`Information for image: ${entry.name}`}</h1>
      <nav class="actions" aria-label="This image">
        <a href={`/listImages?directory=${encodeURIComponent(parentDirectory(entry.name))}`}>Its directory</a>
        <a href={`/listImage?${name}`}>Files</a>
        <a href={`/images/${name}?fileSystem=false`}>JSON</a>
        <a href={`/images/${name}.tar.gz`}>Archive</a>
      </nav>
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
        {entry.createdBy ? <p safe>{`Created by: ${entry.createdBy}`}</p> : ''}
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
        {moreFacts(entry, header).map((fact) => (
          <p safe>{fact}</p>
        ))}
      </section>
    </>
  );
  return page(`image ${entry.name}`, body);
}

/** A page that is one preformatted text. */
export function textPage(title: string, heading: string, text: string): string {
  return page(
    title,
    <>
      <h1 safe>{heading}</h1>
      <pre class="listing" tabindex="0" safe>
        {text}
      </pre>
    </>,
  );
}

/** As `textPage`, in pieces: for listings of large trees. */
export function* longTextPage(title: string, heading: string, lines: Iterable<string>): Generator<string> {
  const [before, after] = textPage(title, heading, LINES_HERE).split(LINES_HERE) as [string, string];
  yield before;
  for (const line of lines) yield `${Html.escapeHtml(line)}\n`;
  yield after;
}
const LINES_HERE = '\u0000';

export function packagesPage(name: string, packages: Image['Packages']): string {
  const escaped = percentEncode(name);
  const rows = packages.map((one) => [
    { text: one.Name },
    { text: one.Version },
    { text: formatBytes(one.Size), number: true },
  ]);
  return page(
    `image ${name} packages`,
    <>
      <h1 safe>{`Packages in image: ${name}`}</h1>
      <p>
        <a href={`/listPackages?${escaped}&output=text`}>text</a>{' '}
        <a href={`/listPackages?${escaped}&output=json`}>json</a>
      </p>
      {table('Packages', ['Name', 'Version', 'Size'], rows) as 'safe'}
    </>,
  );
}

export function computedPage(name: string, tree: FileSystem | null): string {
  const rows = [];
  for (const { path, inode } of tree ? walkTree(tree) : [])
    if (inode.Kind === 'computed') rows.push([{ text: path }, { text: inode.Source }]);
  return page(
    `image ${name} computed inodes`,
    <>
      <h1 safe>{`Computed files for image: ${name}`}</h1>
      {table('Computed files', ['Filename', 'Data Source'], rows) as 'safe'}
    </>,
  );
}

/** A page that says one thing. */
export function messagePage(text: string): string {
  return page(text, <p safe>{text}</p>);
}
