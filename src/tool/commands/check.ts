import { CheckImageRequest, CheckImageResponse } from '../../wire/messages/imageserver.ts';
import type { Command } from '../command.ts';

export const check: Command = {
  name: 'check',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'exit 0 if the image exists, else 1',
  doing: () => 'checking image',
  async run(context, [name = '']) {
    const client = await context.client();
    const { ImageExists } = await client.call(
      'ImageServer.CheckImage',
      CheckImageRequest,
      CheckImageResponse,
      { ImageName: name },
    );
    return ImageExists ? 0 : 1;
  },
};
