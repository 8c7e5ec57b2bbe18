import { checkDirectoryName } from '../../image/names.ts';
import { cleanPath } from '../../image/paths.ts';
import { MakeDirectoryRequest, MakeDirectoryResponse } from '../../wire/messages/imageserver.ts';
import type { Command, Context } from '../command.ts';
import { directoryExists } from '../directories.ts';

/** One level at a time: servers of any version can do that. */
async function makeDirectory(context: Context, DirectoryName: string): Promise<void> {
  const client = await context.client();
  await client.call('ImageServer.MakeDirectory', MakeDirectoryRequest, MakeDirectoryResponse, {
    DirectoryName,
    MakeAll: false,
  });
}

export const mkdir: Command = {
  name: 'mkdir',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'make an image directory (-p makes missing parents)',
  doing: () => 'creating directory',
  async run(context, [name = '']) {
    const directory = cleanPath(name);
    checkDirectoryName(directory);
    if (!context.flags.makeParents && !context.flags.p) {
      await makeDirectory(context, directory);
      return 0;
    }
    const parts = directory.split('/');
    for (let count = 1; count <= parts.length; count++) {
      const parent = parts.slice(0, count).join('/');
      if (!(await directoryExists(context, parent))) await makeDirectory(context, parent);
    }
    return 0;
  },
};
