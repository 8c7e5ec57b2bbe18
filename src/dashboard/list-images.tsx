/** /listImages: all images in version order. */
import { Html } from '@elysiajs/html';
import { percentEncode } from '../http/percent.ts';
import { formatBytes } from '../image/format.ts';
import type { ImageEntry } from '../store/types.ts';
import { frame } from './frame.tsx';
import { type Cell, table } from './tables.tsx';

const COLUMNS = [
  'Name',
  'Data Size',
  'Data Inodes',
  'Computed Inodes',
  'Filter Lines',
  'Triggers',
  'Branch',
  'Commit',
];

/** A number, with a link to what is counted if there is any. */
function counted(page: string, name: string, count: number): Cell {
  return count > 0
    ? { text: String(count), href: `/${page}?${name}`, number: true }
    : { text: '0', number: true };
}

function row(entry: ImageEntry): Cell[] {
  const name = percentEncode(entry.name);
  return [
    { text: entry.name, href: `/showImage?${name}` },
    { text: formatBytes(entry.dataBytes), href: `/listImage?${name}`, number: true },
    { text: String(entry.regularInodes), href: `/listImage?${name}`, number: true },
    counted('listComputedInodes', name, entry.computedInodes),
    entry.filterLines === undefined
      ? { text: '(sparse filter)' }
      : counted('listFilter', name, entry.filterLines),
    counted('listTriggers', name, entry.triggers ?? 0),
    { text: entry.buildBranch },
    { text: entry.buildCommitId },
  ];
}

export function listImagesPage(entries: readonly ImageEntry[]): string {
  const body = (
    <>
      <h1>Images</h1>
      <p>
        {entries.length} images. <a href="/listImages?output=text">As text</a>
      </p>
      {table('Images', COLUMNS, entries.map(row)) as 'safe'}
    </>
  );
  return frame({ title: 'imageserver images', path: '/listImages', body: body as string });
}
