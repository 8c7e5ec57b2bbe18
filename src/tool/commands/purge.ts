import { PurgeTrashRequest, PurgeTrashResponse } from '../../wire/messages/extensions.ts';
import type { Command } from '../command.ts';

export const purge: Command = {
  name: 'purge',
  args: 'name [id]',
  minArgs: 1,
  maxArgs: 2,
  summary: 'remove a deleted image for good, the last one of that name unless an id is given',
  doing: () => 'purging image',
  async run(context, [name = '', id = '']) {
    const client = await context.client();
    await client.call('ImageServer.PurgeTrash', PurgeTrashRequest, PurgeTrashResponse, {
      ImageName: name,
      Id: id,
      All: false,
    });
    return 0;
  },
};
