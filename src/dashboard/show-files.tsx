/** /showFiles: an image's tree, one directory at a time, and one file of it with a look at its contents. */
import { Html } from '@elysiajs/html';
import { percentEncode } from '../http/percent.ts';
import { formatBytes } from '../image/format.ts';
import { modeText, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../image/mode.ts';
import type { ImageEntry } from '../store/types.ts';
import type { GenericInode, Tree } from '../wire/messages/filesystem.ts';
import { filesAddress, imagePage } from './image-frame.tsx';
import { pager, table } from './tables.tsx';
import { dateText, visible, visibleLine } from './words.ts';

/** Entries of a page. */
const ROWS = 500;

const download = (name: string, path: string) => `/images/${percentEncode(name)}/files${percentEncode(path)}`;

function modeOf(inode: GenericInode): string {
  switch (inode.Kind) {
    case 'symlink':
      return modeText(S_IFLNK | 0o777);
    case 'directory':
      return modeText((inode.Mode & ~S_IFMT) | S_IFDIR);
    case 'special':
      return modeText(inode.Mode);
    default:
      return modeText((inode.Mode & ~S_IFMT) | S_IFREG);
  }
}

function sizeOf(inode: GenericInode): string {
  switch (inode.Kind) {
    case 'regular':
      return formatBytes(inode.Size);
    case 'directory':
      return inode.EntryList.length === 1 ? '1 entry' : `${inode.EntryList.length} entries`;
    case 'computed':
      return 'computed';
    default:
      return '';
  }
}

const timeOf = (inode: GenericInode) =>
  inode.Kind === 'regular' || inode.Kind === 'special' ? dateText(Number(inode.MtimeSeconds) * 1000) : '';

/** The way from the root of the image, each step a link. */
function trail(name: string, path: string): string {
  const steps = path.split('/').filter((step) => step !== '');
  return (
    <nav class="trail" aria-label="Path in the image">
      <a href={filesAddress(name, '/')}>Root</a>
      {steps.map((step, index) => (
        <>
          {' / '}
          <a href={filesAddress(name, `/${steps.slice(0, index + 1).join('/')}`)} safe>
            {visible(step)}
          </a>
        </>
      ))}
    </nav>
  ) as string;
}

function rowOf(name: string, directory: string, entryName: string, inode: GenericInode | undefined) {
  const path = `${directory === '/' ? '' : directory}/${entryName}`;
  if (!inode) return [{ text: entryName }, { text: 'damaged' }];
  const arrow = inode.Kind === 'symlink' ? inode.Symlink : inode.Kind === 'computed' ? inode.Source : '';
  return [
    {
      text: inode.Kind === 'directory' ? `${entryName}/` : entryName,
      href: filesAddress(name, path),
      ...(arrow ? { note: `${inode.Kind === 'symlink' ? '→' : '←'} ${arrow}` } : {}),
    },
    { text: modeOf(inode), code: true },
    { text: `${inode.Uid}:${inode.Gid}`, number: true },
    { text: sizeOf(inode), number: true },
    { text: timeOf(inode) },
    inode.Kind === 'regular' ? { text: 'Download', href: download(name, path) } : { text: '' },
  ];
}

/** One directory. `path` is absolute, without symbolic links. */
export function directoryPage(
  entry: ImageEntry,
  tree: Tree,
  path: string,
  inode: Extract<GenericInode, { Kind: 'directory' }>,
  offset: number,
): string {
  const { length } = inode.EntryList;
  const rows = inode.EntryList.slice(offset, offset + ROWS).map((one) =>
    rowOf(
      entry.name,
      path,
      one?.Name ?? '',
      one ? (tree.InodeTable?.get(one.InodeNumber) ?? undefined) : undefined,
    ),
  );
  const body = (
    <>
      {trail(entry.name, path) as 'safe'}
      {rows.length > 0 ? (
        (table('Files', ['Name', 'Mode', 'Owner', 'Size', 'Modified', 'Contents'], rows) as 'safe')
      ) : (
        <p class="faint">{length === 0 ? 'The directory is empty.' : 'There are no more entries.'}</p>
      )}
      {pager((at) => filesAddress(entry.name, path, at), offset, ROWS, length) as 'safe'}
    </>
  );
  return imagePage(
    entry,
    '/showFiles',
    `files ${entry.name}`,
    `Files of image: ${entry.name}`,
    body as string,
  );
}

/** What is known of a file's contents: a text to look at, or why there is none. */
export type Look = { readonly text: string; readonly cut: boolean } | { readonly none: string };

function sizeText(bytes: bigint): string {
  const exact = `${bytes} B`;
  const short = formatBytes(bytes);
  return short === exact ? exact : `${exact} (${short})`;
}

function facts(inode: GenericInode): [string, string][] {
  return [
    ['Mode', modeOf(inode)],
    ['Owner', `${inode.Uid}:${inode.Gid}`],
    ...(inode.Kind === 'regular' ? ([['Size', sizeText(inode.Size)]] as [string, string][]) : []),
    ...(timeOf(inode) ? ([['Modified', timeOf(inode)]] as [string, string][]) : []),
    ...(inode.Kind === 'symlink' ? ([['Link to', inode.Symlink]] as [string, string][]) : []),
    ...(inode.Kind === 'computed' ? ([['Computed from', inode.Source]] as [string, string][]) : []),
    ...(inode.Kind === 'special' ? ([['Device', `0x${inode.Rdev.toString(16)}`]] as [string, string][]) : []),
  ];
}

/** One inode that is no directory. `target`: where a symbolic link leads in the image. */
export function filePage(
  entry: ImageEntry,
  path: string,
  inode: GenericInode,
  target: string | undefined,
  look: Look | undefined,
): string {
  const body = (
    <>
      {trail(entry.name, path) as 'safe'}
      <section class="summary" aria-label="File">
        {facts(inode).map(([what, value]) => (
          <p safe>{`${what}: ${visible(value)}`}</p>
        ))}
        {inode.Kind === 'regular' && inode.Size > 0n ? (
          <p class="long">
            {'SHA-512: '}
            <a class="code" href={`/objects/${inode.Hash}`} safe>
              {inode.Hash}
            </a>
          </p>
        ) : (
          ''
        )}
      </section>
      <p class="actions">
        {inode.Kind === 'regular' ? (
          <a href={download(entry.name, path)} download="">
            Download
          </a>
        ) : (
          ''
        )}
        {target === undefined ? '' : <a href={filesAddress(entry.name, target)}>Follow the link</a>}
      </p>
      {look === undefined ? (
        ''
      ) : 'none' in look ? (
        <p class="faint" safe>
          {look.none}
        </p>
      ) : (
        <>
          <pre class="listing" tabindex="0" safe>
            {look.text.split('\n').map(visibleLine).join('\n')}
          </pre>
          {look.cut ? <p class="faint">Only the beginning is shown.</p> : ''}
        </>
      )}
    </>
  );
  return imagePage(
    entry,
    '/showFiles',
    `${path} ${entry.name}`,
    `File of image: ${entry.name}`,
    body as string,
  );
}
