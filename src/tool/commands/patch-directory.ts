import type { Command } from '../command.ts';
import { patchDirectory as patch } from '../patch.ts';

export const patchDirectory: Command = {
  name: 'patch-directory',
  args: 'name directory',
  minArgs: 2,
  maxArgs: 2,
  summary:
    'make a directory equal to an image, but for what its filter leaves alone; nothing is deleted if it is sparse (as root)',
  doing: () => 'patching directory',
  async run(context, [name = '', directory = '']) {
    await patch(context, name, directory);
    return 0;
  },
};
