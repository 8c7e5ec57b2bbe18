/** /listImages: images in version order, all or those that are looked for, page by page. */
import { Html } from '@elysiajs/html';
import type { Catalogue, ImageOrder } from '../http/images/catalogue.ts';
import { percentEncode } from '../http/percent.ts';
import { formatBytes } from '../image/format.ts';
import type { ImageEntry } from '../store/types.ts';
import { type GoTime, isZeroTime } from '../wire/time.ts';
import { frame } from './frame.tsx';
import { filesAddress } from './image-frame.tsx';
import { offsetOf, pageQuery } from './page-query.ts';
import { type Cell, type Column, pager, table } from './tables.tsx';
import { attribute, timeText, visible } from './words.ts';

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

/** What the list is ordered by and who asks for what part of it. */
interface Asked {
  readonly name: string;
  readonly directory: string;
  readonly tag: string;
  readonly sort: ImageOrder;
  readonly descending: boolean;
  readonly offset: number;
}

const ORDERS: Readonly<Record<string, ImageOrder>> = { created: 'created', size: 'size' };

function readAsked(query: string): Asked {
  const fields = pageQuery(query);
  return {
    name: fields.get('name') ?? '',
    directory: fields.get('directory') ?? fields.get('directoryName') ?? '',
    tag: fields.get('tag') ?? '',
    sort: ORDERS[fields.get('sort') ?? ''] ?? 'name',
    descending: fields.get('order') === 'desc',
    offset: offsetOf(fields),
  };
}

function address(asked: Asked, change: Partial<Asked>): string {
  const { name, directory, tag, sort, descending, offset } = { ...asked, ...change };
  const fields = [
    ['name', name],
    ['directory', directory],
    ['tag', tag],
    ['sort', sort === 'name' ? '' : sort],
    ['order', descending ? 'desc' : ''],
    ['offset', offset > 0 ? String(offset) : ''],
  ].filter(([, value]) => value !== '');
  return `/listImages?${fields.map(([field, value]) => `${field}=${percentEncode(value as string)}`).join('&')}`;
}

/** A heading that orders by its column, the other way round when it does already. */
function ordering(asked: Asked, text: string, sort: ImageOrder): Column {
  const current = asked.sort === sort;
  // Of times and sizes the largest are looked for.
  const descending = current ? !asked.descending : sort !== 'name';
  return {
    text,
    href: address(asked, { sort, descending, offset: 0 }),
    order: current ? (asked.descending ? 'descending' : 'ascending') : undefined,
  };
}

function columns(asked: Asked, expiring: boolean): (string | Column)[] {
  return [
    ordering(asked, 'Name', 'name'),
    ordering(asked, 'Data Size', 'size'),
    'Data Inodes',
    'Computed Inodes',
    'Filter Lines',
    'Triggers',
    'Branch',
    'Commit',
    ordering(asked, 'Created', 'created'),
    ...(expiring ? ['Expires'] : []),
  ];
}

const day = (time: GoTime) => (isZeroTime(time) ? '' : timeText(time).slice(0, 11));

function row(entry: ImageEntry, expiring: boolean): Cell[] {
  const name = percentEncode(entry.name);
  return [
    { text: entry.name, href: `/showImage?${name}` },
    { text: formatBytes(entry.dataBytes), href: filesAddress(entry.name, '/'), number: true },
    { text: String(entry.regularInodes), href: `/listImage?${name}`, number: true },
    counted('listComputedInodes', name, entry.computedInodes),
    entry.filterLines === undefined
      ? { text: '(sparse filter)', number: true }
      : counted('listFilter', name, entry.filterLines),
    counted('listTriggers', name, entry.triggers ?? 0),
    { text: entry.buildBranch },
    { text: entry.buildCommitId.slice(0, COMMIT), code: true },
    { text: day(entry.createdOn) },
    ...(expiring ? [{ text: day(entry.expiresAt) }] : []),
  ];
}

/** What was found, in words. */
function count(total: number, { name, directory, tag }: Asked): string {
  const below = directory ? ` below ${visible(directory)}` : '';
  const tagged = tag ? ` with the tag ${visible(tag)}` : '';
  const named = name ? ` with ${JSON.stringify(name)} in their names` : '';
  return `${total} ${total === 1 ? 'image' : 'images'}${below}${tagged}${named}`;
}

function filterForm({ name, directory, tag, sort, descending }: Asked): string {
  const kept = Object.entries({
    directory,
    tag,
    sort: sort === 'name' ? '' : sort,
    order: descending ? 'desc' : '',
  });
  return (
    <form class="filter" method="get" action="/listImages">
      <input
        type="search"
        name="name"
        value={attribute(name)}
        placeholder="Part of the name"
        aria-label="Part of the name"
      />
      {kept
        .filter(([, value]) => value !== '')
        .map(([field, value]) => (
          <input type="hidden" name={field} value={attribute(value)} />
        ))}
      <button type="submit">Find</button>
      {name || directory || tag ? <a href="/listImages">All images</a> : ''}
      <a href="/listImages?output=text">As text</a>
    </form>
  ) as string;
}

const FIRST_IMAGE =
  'There are none yet: imagetool mkdir makes a directory, imagetool add an image, and /swagger describes how programs do it.';

/**
 * `query` as sent: `name`, a part of names; `directory` (or `directoryName`); `tag`; `sort` and `order`; `offset`. What
 * else it says is left alone.
 */
export function listImagesPage(catalogue: Catalogue, query: string): string {
  const asked = readAsked(query);
  const { name, directory, tag, offset } = asked;
  const filter = { name: name || undefined, directory: directory || undefined, tag: tag || undefined };
  const found = catalogue.find(filter, asked.sort, asked.descending);
  const page = found.slice(offset, offset + ROWS);
  const expiring = page.some(({ expiresAt }) => !isZeroTime(expiresAt));
  const rows = page.map((entry) => row(entry, expiring));
  const body = (
    <>
      <h1>Images</h1>
      {filterForm(asked) as 'safe'}
      <p class="faint" safe>
        {catalogue.all().length === 0 ? FIRST_IMAGE : count(found.length, asked)}
      </p>
      {rows.length > 0 ? (table('Images', columns(asked, expiring), rows) as 'safe') : ''}
      {pager((at) => address(asked, { offset: at }), offset, ROWS, found.length) as 'safe'}
    </>
  );
  return frame({ title: 'imageserver images', path: '/listImages', body: body as string });
}
