import { ChownDirectoryRequest, ChownDirectoryResponse } from '../../wire/messages/imageserver.ts';
import type { Command } from '../command.ts';

export const chown: Command = {
  name: 'chown',
  args: 'dirname ownerGroup',
  minArgs: 2,
  maxArgs: 2,
  summary: 'set the owner group of an image directory; "" clears it',
  doing: () => 'changing directory ownership',
  async run(context, [directory = '', group = '']) {
    const client = await context.client();
    await client.call('ImageServer.ChownDirectory', ChownDirectoryRequest, ChownDirectoryResponse, {
      DirectoryName: directory,
      OwnerGroup: group,
    });
    return 0;
  },
};
