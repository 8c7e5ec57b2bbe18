/** A table that can be scrolled sideways on narrow screens. */
import { Html } from '@elysiajs/html';
import { visible } from './words.ts';

export interface Cell {
  readonly text: string;
  readonly href?: string;
  /** Right-aligned. */
  readonly number?: boolean;
  /** In letters of one width. */
  readonly code?: boolean;
  /** May be long: is broken into lines. */
  readonly long?: boolean;
  /** What stands behind it, less prominent. */
  readonly note?: string;
}

/** A heading that orders the table. */
export interface Column {
  readonly text: string;
  readonly href: string;
  /** How the table is ordered by it. */
  readonly order?: 'ascending' | 'descending' | undefined;
}

function cell({ text, href, number, code, long, note }: Cell): string {
  return (
    <td class={number ? 'number' : code ? 'code' : long ? 'text' : undefined}>
      {href === undefined ? (
        <bdi safe>{visible(text)}</bdi>
      ) : (
        <a href={href} safe>
          {visible(text)}
        </a>
      )}
      {note === undefined ? (
        ''
      ) : (
        <span class="faint" safe>
          {` ${visible(note)}`}
        </span>
      )}
    </td>
  ) as string;
}

function heading(column: string | Column, number: boolean): string {
  const align = number ? 'number' : undefined;
  if (typeof column === 'string')
    return (
      <th scope="col" class={align} safe>
        {column}
      </th>
    ) as string;
  const { text, href, order } = column;
  return (
    <th scope="col" class={align} aria-sort={order}>
      <a href={href}>
        {text as 'safe'}
        {order === undefined ? '' : order === 'ascending' ? ' ▲' : ' ▼'}
      </a>
    </th>
  ) as string;
}

/** Links to the pages of a list before and behind this one; nothing if there is only one. */
export function pager(
  address: (offset: number) => string,
  offset: number,
  rows: number,
  total: number,
): string {
  const more = offset + rows < total;
  if (offset === 0 && !more) return '';
  return (
    <nav class="actions" aria-label="Pages of the list">
      {offset > 0 ? <a href={address(Math.max(0, offset - rows))}>Before</a> : ''}
      {more ? <a href={address(offset + rows)}>More</a> : ''}
      <span class="faint">{`${offset + 1} to ${Math.min(total, offset + rows)} of ${total}`}</span>
    </nav>
  ) as string;
}

export function table(
  label: string,
  columns: readonly (string | Column)[],
  rows: readonly (readonly Cell[])[],
): string {
  return (
    <section class="table" tabindex="0" aria-label={label}>
      <table>
        <thead>
          <tr>
            {columns.map((column, index) => heading(column, rows[0]?.[index]?.number === true)) as 'safe'[]}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>{row.map(cell) as 'safe'[]}</tr>
          ))}
        </tbody>
      </table>
    </section>
  ) as string;
}
