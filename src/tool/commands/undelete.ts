import { UndeleteImageRequest, UndeleteImageResponse } from '../../wire/messages/extensions.ts';
import type { Command } from '../command.ts';

export const undelete: Command = {
  name: 'undelete',
  args: 'name [id]',
  minArgs: 1,
  maxArgs: 2,
  summary: 'bring a deleted image back, the last one of that name unless an id is given',
  doing: () => 'undeleting image',
  async run(context, [name = '', id = '']) {
    const client = await context.client();
    await client.call('ImageServer.UndeleteImage', UndeleteImageRequest, UndeleteImageResponse, {
      ImageName: name,
      Id: id,
    });
    return 0;
  },
};
