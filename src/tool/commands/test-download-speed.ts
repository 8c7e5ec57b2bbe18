import { formatBytes, formatSpan } from '../../image/format.ts';
import type { FileSystem } from '../../wire/messages/filesystem.ts';
import type { Command } from '../command.ts';
import { directoryExists } from '../directories.ts';
import type { WantedObject } from '../download.ts';
import { downloadObjects } from '../download.ts';
import { fetchTree } from '../images.ts';
import { latestImage } from '../latest-image.ts';

/** The contents of all files: what several have in common is fetched for each, as when it is unpacked by simple means. */
function contentsOf(tree: FileSystem): WantedObject[] {
  return [...(tree.InodeTable?.values() ?? [])].flatMap((inode) =>
    inode?.Kind === 'regular' && inode.Size > 0n ? [{ hash: inode.Hash, size: Number(inode.Size) }] : [],
  );
}

const span = (sinceMs: number) => BigInt(Math.round((performance.now() - sinceMs) * 1e6));

export const testDownloadSpeed: Command = {
  name: 'test-download-speed',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'fetch an image, or the newest of a directory, and say how fast it came',
  doing: () => 'testing download speed',
  async run(context, [name = '']) {
    const image = (await directoryExists(context, name)) ? await latestImage(context, name) : name;
    const begin = performance.now();
    const objects = contentsOf(await fetchTree(context, `i:${image}`));
    context.io.say(`downloaded image metadata in ${formatSpan(span(begin))}`);
    const start = performance.now();
    await downloadObjects(
      await context.client(),
      objects,
      () => ({ write: () => undefined, done: () => undefined }),
      context.progress,
    );
    const bytes = objects.reduce((sum, one) => sum + one.size, 0);
    const taken = span(start);
    const speed = Math.round((bytes * 1e9) / Math.max(1, Number(taken)));
    context.io.say(
      `downloaded ${formatBytes(bytes)} (${objects.length} objects) in ${formatSpan(taken)} (${formatBytes(speed)}/s)`,
    );
    return 0;
  },
};
