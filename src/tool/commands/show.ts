import { listingLines } from '../../image/listing.ts';
import { toJson } from '../../wire/json.ts';
import { FileSystem } from '../../wire/messages/filesystem.ts';
import type { Command } from '../command.ts';
import { fetchTree, loadFilter } from '../images.ts';

export const show: Command = {
  name: 'show',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'list the files of an image (also d:DIRECTORY, f:FILE, l:FILE)',
  doing: () => 'showing image',
  async run(context, [source = '']) {
    const { filterFile, skipFields, json } = context.flags;
    const skip = loadFilter(filterFile);
    const tree = await fetchTree(context, source);
    if (json) {
      await context.out(`${toJson(FileSystem, tree)}\n`);
      return 0;
    }
    let text = '';
    for (const line of listingLines(tree, { skipFields, ...(skip ? { skip } : {}) })) {
      text += `${line}\n`;
      if (text.length > 1024 * 1024) {
        await context.out(text);
        text = '';
      }
    }
    await context.out(text);
    return 0;
  },
};
