import { checkDirectoryName } from '../../image/names.ts';
import { cleanPath } from '../../image/paths.ts';
import { MakeDirectoryRequest, MakeDirectoryResponse } from '../../wire/messages/imageserver.ts';
import type { Command } from '../command.ts';

export const mkdir: Command = {
  name: 'mkdir',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'make an image directory (-makeParents makes missing parents)',
  doing: () => 'creating directory',
  async run(context, [name = '']) {
    const DirectoryName = cleanPath(name);
    checkDirectoryName(DirectoryName);
    const client = await context.client();
    await client.call('ImageServer.MakeDirectory', MakeDirectoryRequest, MakeDirectoryResponse, {
      DirectoryName,
      MakeAll: context.flags.makeParents,
    });
    return 0;
  },
};
