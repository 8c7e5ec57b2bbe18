import type { Command } from '../command.ts';
import { FileCopier } from '../file-copier.ts';
import { forFilteredFiles } from '../filtered-files.ts';

export const copyFilteredFiles: Command = {
  name: 'copy-filtered-files',
  args: 'name source destination',
  minArgs: 3,
  maxArgs: 3,
  summary:
    'copy the files and directories that the filter of an image leaves alone to another directory (as root)',
  doing: () => 'copying filtered files',
  async run(context, [image = '', directory = '', destination = '']) {
    const copier = new FileCopier(context, destination);
    await forFilteredFiles(context, { image, directory, except: copier.stat }, (file, root) =>
      copier.copy(file, Buffer.from(root)),
    );
    copier.finish();
    return 0;
  },
};
