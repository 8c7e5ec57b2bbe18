/** /showDifferences: what is new, gone or changed from one image to another. */
import { Html } from '@elysiajs/html';
import type { BothTrees } from '../http/images/both-trees.ts';
import { percentEncode } from '../http/percent.ts';
import { others } from '../http/text-stream.ts';
import { compareTrees, type Difference } from '../image/compare.ts';
import { formatBytes } from '../image/format.ts';
import type { ImageEntry } from '../store/types.ts';
import type { GenericInode } from '../wire/messages/filesystem.ts';
import { filesAddress, imagePage } from './image-frame.tsx';
import { pager, table } from './tables.tsx';
import { visible } from './words.ts';

const ROWS = 500;
/** Paths looked at before others get their turn. */
const LOOK_EVERY = 1000;

export interface Differences {
  /** Those of the page. */
  readonly shown: readonly Difference[];
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

/** Compares in slices; keeps only what is shown. */
export async function differences(both: BothTrees, offset: number): Promise<Differences> {
  await both.use();
  const left = both.left.image.FileSystem;
  const right = both.right.image.FileSystem;
  const shown: Difference[] = [];
  const counts = { added: 0, removed: 0, changed: 0 };
  let found = 0;
  let looked = 0;
  if (left && right)
    for (const difference of compareTrees(left, right)) {
      if (++looked % LOOK_EVERY === 0) {
        await others();
        await both.use();
      }
      if (!difference) continue;
      if (!difference.right) counts.removed++;
      else if (!difference.left) counts.added++;
      else counts.changed++;
      if (found >= offset && found < offset + ROWS) shown.push(difference);
      found++;
    }
  return { shown, ...counts };
}

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

function side(inode: GenericInode | undefined): string {
  if (!inode) return '';
  if (inode.Kind === 'symlink') return `→ ${inode.Symlink}`;
  return inode.Kind === 'regular' ? formatBytes(inode.Size) : inode.Kind;
}

const place = (name: string, path: string, inode: GenericInode | undefined) =>
  inode ? { href: filesAddress(name, path) } : {};

function row(left: ImageEntry, right: ImageEntry, difference: Difference) {
  const { path } = difference;
  return [
    { text: path },
    { text: whatChanged(difference) },
    { text: side(difference.left), ...place(left.name, path, difference.left), number: true },
    { text: side(difference.right), ...place(right.name, path, difference.right), number: true },
  ];
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
