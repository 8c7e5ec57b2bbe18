import { DeleteImageRequest, DeleteImageResponse } from '../../wire/messages/imageserver.ts';
import type { Command } from '../command.ts';

export const deleteImage: Command = {
  name: 'delete',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'delete an image',
  doing: () => 'deleting image',
  async run(context, [name = '']) {
    const client = await context.client();
    await client.call('ImageServer.DeleteImage', DeleteImageRequest, DeleteImageResponse, {
      ImageName: name,
    });
    return 0;
  },
};
