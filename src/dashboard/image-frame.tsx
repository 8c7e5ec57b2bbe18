/** What the pages of one image share: its name, and the way from each of them to the others. */
import { Html } from '@elysiajs/html';
import { percentEncode } from '../http/percent.ts';
import { parentDirectory } from '../image/paths.ts';
import type { ImageEntry } from '../store/types.ts';
import { frame } from './frame.tsx';
import { visible } from './words.ts';

/** Address of a directory or file in an image. */
export function filesAddress(name: string, path: string, offset = 0): string {
  const place = `/showFiles?name=${percentEncode(name)}&path=${percentEncode(path)}`;
  return offset > 0 ? `${place}&offset=${offset}` : place;
}

function parts(entry: ImageEntry): [string, string][] {
  const name = percentEncode(entry.name);
  const some = (count: number | undefined, part: [string, string]) => (count ? [part] : []);
  return [
    [`/showImage?${name}`, 'Summary'],
    [filesAddress(entry.name, '/'), 'Files'],
    [`/listImage?${name}`, 'Listing'],
    ...some(entry.filterLines, [`/listFilter?${name}`, 'Filter']),
    ...some(entry.triggers, [`/listTriggers?${name}`, 'Triggers']),
    ...some(entry.computedInodes, [`/listComputedInodes?${name}`, 'Computed files']),
    ...some(entry.packages, [`/listPackages?${name}`, 'Packages']),
  ];
}

/** `current`: path of the page. `body` is HTML already. */
export function imagePage(
  entry: ImageEntry,
  current: string,
  title: string,
  heading: string,
  body: string,
): string {
  const directory = parentDirectory(entry.name);
  return frame({
    title: visible(title),
    path: '',
    body: (
      <>
        <nav class="trail" aria-label="Where it is">
          <a href="/listImages">Images</a>
          {directory === '.' ? (
            ''
          ) : (
            <>
              {' / '}
              <a href={`/listImages?directory=${percentEncode(directory)}`} safe>
                {visible(directory)}
              </a>
            </>
          )}
        </nav>
        <h1 safe>{visible(heading)}</h1>
        <nav class="actions" aria-label="This image">
          {parts(entry).map(([href, text]) => (
            <a href={href} aria-current={href.startsWith(`${current}?`) ? 'page' : undefined}>
              {text as 'safe'}
            </a>
          ))}
        </nav>
        {body as 'safe'}
      </>
    ) as string,
  });
}
