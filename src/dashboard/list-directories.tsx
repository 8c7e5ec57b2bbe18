/** /listDirectories: image directories, who owns them and what is in them. */
import { Html } from '@elysiajs/html';
import { percentEncode } from '../http/percent.ts';
import { parentDirectory } from '../image/paths.ts';
import type { ImageEntry } from '../store/types.ts';
import type { Directory } from '../wire/messages/image.ts';
import { frame } from './frame.tsx';
import { table } from './tables.tsx';

export function listDirectoriesPage(
  directories: readonly Directory[],
  images: readonly ImageEntry[],
): string {
  const inside = new Map<string, number>();
  for (const { name } of images) {
    const directory = parentDirectory(name);
    inside.set(directory, (inside.get(directory) ?? 0) + 1);
  }
  const rows = directories.map((one) => [
    { text: one.Name, href: `/listImages?directory=${percentEncode(one.Name)}` },
    { text: one.Metadata.OwnerGroup },
    { text: String(inside.get(one.Name) ?? 0), number: true },
  ]);
  const body = (
    <>
      <h1>Directories</h1>
      <p class="actions">
        <a href="/listDirectories?output=text">As text</a>
      </p>
      {table('Directories', ['Name', 'Owner Group', 'Images'], rows) as 'safe'}
    </>
  );
  return frame({ title: 'imageserver directories', path: '/listDirectories', body: body as string });
}
