/** /showDifferences: what is new, gone or changed from one image to another. */
import { Html } from '@elysiajs/html';
import { percentEncode } from '../http/percent.ts';
import type { Difference } from '../image/compare.ts';
import { formatBytes } from '../image/format.ts';
import type { ImageEntry } from '../store/types.ts';
import type { GenericInode } from '../wire/messages/filesystem.ts';
import type { DifferenceRow, Differences } from './comparisons.ts';
import { filesAddress, imagePage } from './image-frame.tsx';
import { pager, table } from './tables.tsx';
import { visible } from './words.ts';

export const ROWS = 500;
/** Names of fields as people say them; several fields may be one thing. */
const WORDS: Record<string, string> = {
  Hash: 'contents',
  Size: 'size',
  MtimeSeconds: 'time',
  MtimeNanoSeconds: 'time',
  Mode: 'mode',
  Uid: 'owner',
  Gid: 'group',
  Symlink: 'target',
  Source: 'source',
  Rdev: 'device',
  Kind: 'kind',
};

function whatChanged({ left, right, fields }: Difference): string {
  if (!left) return 'added';
  if (!right) return 'removed';
  return [...new Set(fields.map((field) => WORDS[field] ?? field))].join(', ');
}

function side(inode: GenericInode | undefined): string | undefined {
  if (!inode) return undefined;
  if (inode.Kind === 'symlink') return `→ ${inode.Symlink}`;
  return inode.Kind === 'regular' ? formatBytes(inode.Size) : inode.Kind;
}

export function differenceRow(difference: Difference): DifferenceRow {
  const { path, left, right } = difference;
  return { path, change: whatChanged(difference), before: side(left), after: side(right) };
}

const cell = (name: string, path: string, text: string | undefined) =>
  text === undefined ? { text: '', number: true } : { text, href: filesAddress(name, path), number: true };

function row(left: ImageEntry, right: ImageEntry, { path, change, before, after }: DifferenceRow) {
  return [{ text: path }, { text: change }, cell(left.name, path, before), cell(right.name, path, after)];
}

export function differencesPage(
  left: ImageEntry,
  right: ImageEntry,
  found: Differences,
  offset: number,
): string {
  const { shown, added, removed, changed } = found;
  const [a, b] = [percentEncode(left.name), percentEncode(right.name)];
  const address = (at: number) => `/showDifferences?name=${b}&with=${a}${at > 0 ? `&offset=${at}` : ''}`;
  const total = added + removed + changed;
  const body = (
    <>
      <p>
        {'Compared with '}
        <a href={`/showImage?${a}`} safe>
          {visible(left.name)}
        </a>
        {`: ${added} added, ${removed} removed, ${changed} changed`}
      </p>
      <p class="actions">
        <a href={`/showDifferences?name=${a}&with=${b}`}>The other way round</a>
        <a href={`/images/${a}/diff/${b}`}>JSON</a>
      </p>
      {shown.length > 0 ? (
        (table(
          'Differences',
          ['Path', 'Change', 'Before', 'After'],
          shown.map((one) => row(left, right, one)),
        ) as 'safe')
      ) : (
        <p class="faint">{total === 0 ? 'The trees are equal.' : 'There are no more differences.'}</p>
      )}
      {pager(address, offset, ROWS, total) as 'safe'}
    </>
  );
  return imagePage(
    right,
    '/showDifferences',
    `differences ${right.name}`,
    `Changes in image: ${right.name}`,
    body as string,
  );
}
