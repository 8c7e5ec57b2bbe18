/** /listImages: images in version order, all or those that are looked for, page by page. */
import { Html } from '@elysiajs/html';
import type { Catalogue } from '../http/images/catalogue.ts';
import { percentEncode } from '../http/percent.ts';
import { formatBytes } from '../image/format.ts';
import type { ImageEntry } from '../store/types.ts';
import { isZeroTime } from '../wire/time.ts';
import { frame } from './frame.tsx';
import { type Cell, table } from './tables.tsx';
import { timeText } from './words.ts';

const COLUMNS = [
  'Name',
  'Data Size',
  'Data Inodes',
  'Computed Inodes',
  'Filter Lines',
  'Triggers',
  'Branch',
  'Commit',
  'Created',
];
/** Rows of a page: so many are shown and searched with ease. */
const ROWS = 1000;
/** Digits of a commit that tell it from others. */
const COMMIT = 12;

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
      ? { text: '(sparse filter)', number: true }
      : counted('listFilter', name, entry.filterLines),
    counted('listTriggers', name, entry.triggers ?? 0),
    { text: entry.buildBranch },
    { text: entry.buildCommitId.slice(0, COMMIT) },
    { text: isZeroTime(entry.createdOn) ? '' : timeText(entry.createdOn).slice(0, 11) },
  ];
}

function address(text: string, directory: string, offset: number): string {
  const query = new URLSearchParams();
  if (text) query.set('name', text);
  if (directory) query.set('directory', directory);
  if (offset > 0) query.set('offset', String(offset));
  return `/listImages?${query}`;
}

/** `query` as sent: `name`, a part of names; `directory` (or `directoryName`); `offset`. What else it says is left alone. */
export function listImagesPage(catalogue: Catalogue, query: string): string {
  const asked = new URLSearchParams(query);
  const text = asked.get('name') ?? '';
  const directory = asked.get('directory') ?? asked.get('directoryName') ?? '';
  const offset = /^\d{1,9}$/.test(asked.get('offset') ?? '') ? Number(asked.get('offset')) : 0;
  const found = catalogue.find({ name: text || undefined, directory: directory || undefined }, 'name', false);
  const page = found.slice(offset, offset + ROWS);
  const body = (
    <>
      <h1>Images</h1>
      <form class="filter" method="get" action="/listImages">
        <input
          type="search"
          name="name"
          value={text}
          placeholder="Part of the name"
          aria-label="Part of the name"
        />
        {directory ? <input type="hidden" name="directory" value={directory} /> : ''}
        <button type="submit">Find</button>
        {text || directory ? <a href="/listImages">All images</a> : ''}
        <a href="/listImages?output=text">As text</a>
      </form>
      <p class="faint" safe>
        {`${found.length} images${directory ? ` below ${directory}` : ''}${text ? ` with ${JSON.stringify(text)} in their names` : ''}${found.length > page.length ? `, from ${offset + 1} to ${offset + page.length}` : ''}`}
      </p>
      {page.length > 0 ? (table('Images', COLUMNS, page.map(row)) as 'safe') : ''}
      <nav class="actions" aria-label="Pages of the list">
        {offset > 0 ? <a href={address(text, directory, Math.max(0, offset - ROWS))}>Before</a> : ''}
        {offset + ROWS < found.length ? <a href={address(text, directory, offset + ROWS)}>More</a> : ''}
      </nav>
    </>
  );
  return frame({ title: 'imageserver images', path: '/listImages', body: body as string });
}
