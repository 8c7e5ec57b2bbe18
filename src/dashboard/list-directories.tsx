/** /listDirectories: image directories and who owns them. */
import { Html } from '@elysiajs/html';
import type { Directory } from '../wire/messages/image.ts';
import { frame } from './frame.tsx';
import { table } from './tables.tsx';

export function listDirectoriesPage(directories: readonly Directory[]): string {
  const rows = directories.map((one) => [
    { text: one.Name, href: `/listImages?directory=${encodeURIComponent(one.Name.toWellFormed())}` },
    { text: one.Metadata.OwnerGroup },
  ]);
  const body = (
    <>
      <h1>Directories</h1>
      <p class="actions">
        <a href="/listDirectories?output=text">As text</a>
      </p>
      {table('Directories', ['Name', 'Owner Group'], rows) as 'safe'}
    </>
  );
  return frame({ title: 'imageserver directories', path: '/listDirectories', body: body as string });
}
