import { listingLines } from '../../image/listing.ts';
import { toJson } from '../../wire/json.ts';
import { FileSystem } from '../../wire/messages/filesystem.ts';
import { encodeText } from '../../wire/text.ts';
import type { Command } from '../command.ts';
import { fetchTree, loadFilter } from '../images.ts';

/** Lines gathered for one write. */
const LINES = 2000;

export const show: Command = {
  name: 'show',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'list the files of an image',
  doing: () => 'showing image',
  async run(context, [source = '']) {
    const { filterFile, skipFields, json } = context.flags;
    const skip = loadFilter(filterFile);
    const tree = await fetchTree(context, source);
    if (json) {
      await context.out(`${toJson(FileSystem, tree)}\n`);
      return 0;
    }
    let lines: string[] = [];
    const flush = async () => {
      // Names are bytes: what is not UTF-8 comes out as it is.
      await context.out(encodeText(lines.map((line) => `${line}\n`).join('')));
      lines = [];
    };
    for (const line of listingLines(tree, { skipFields, ...(skip && { skip }) })) {
      lines.push(line);
      if (lines.length >= LINES) await flush();
    }
    await flush();
    return 0;
  },
};
