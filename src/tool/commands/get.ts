import type { Command } from '../command.ts';
import { fetchTree } from '../images.ts';
import { unpackImage } from '../unpack.ts';

export const get: Command = {
  name: 'get',
  args: 'name directory',
  minArgs: 2,
  maxArgs: 2,
  summary: 'unpack an image into a directory (as root, or with -noSameOwner)',
  doing: () => 'getting image',
  async run(context, [name = '', directory = '']) {
    await unpackImage(context, name, await fetchTree(context, name), directory);
    return 0;
  },
};
