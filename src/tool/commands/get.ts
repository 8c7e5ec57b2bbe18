import type { FileSystem } from '../../wire/messages/filesystem.ts';
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
    const { noSameOwner, computedFilesRoot } = context.flags;
    const tree: FileSystem = await fetchTree(context, name);
    await unpackImage(await context.client(), name, tree, directory, { noSameOwner, computedFilesRoot });
    return 0;
  },
};
