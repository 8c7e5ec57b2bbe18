/** /listTrash: deleted images that can be brought back, and until when. */
import { Html } from '@elysiajs/html';
import { formatBytes } from '../image/format.ts';
import type { TrashEntry } from '../store/types.ts';
import { frame } from './frame.tsx';
import { pager, table } from './tables.tsx';
import { dateText, durationText } from './words.ts';

const ROWS = 500;

export function listTrashPage(entries: readonly TrashEntry[], offset: number, now: number): string {
  const rows = entries
    .slice(offset, offset + ROWS)
    .map((one) => [
      { text: one.name },
      { text: formatBytes(one.dataBytes), number: true },
      { text: dateText(one.deletedAt) },
      { text: one.deletedBy, long: true },
      { text: `in ${durationText(one.purgeAt - now)}`, number: true },
      { text: one.id, code: true },
    ]);
  const body = (
    <>
      <h1>Deleted images</h1>
      {rows.length > 0 ? (
        <>
          <p>
            They can be brought back (<code>imagetool undelete NAME</code>, or with the id where several had
            the name) until they are removed for good (at once with <code>imagetool purge NAME</code>).
          </p>
          {
            table(
              'Deleted images',
              ['Name', 'Data Size', 'Deleted', 'By', 'Gone for good', 'Id'],
              rows,
            ) as 'safe'
          }
        </>
      ) : (
        <p class="faint">There are no deleted images that could be brought back.</p>
      )}
      {pager((at) => `/listTrash?offset=${at}`, offset, ROWS, entries.length) as 'safe'}
    </>
  );
  return frame({ title: 'imageserver deleted images', path: '/listTrash', body: body as string });
}
