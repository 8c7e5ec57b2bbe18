import { ImageServerError } from '../../errors.ts';
import { FindLatestImageRequest, FindLatestImageResponse } from '../../wire/messages/imageserver.ts';
import type { Command } from '../command.ts';

export const findLatestImage: Command = {
  name: 'find-latest-image',
  args: 'directory',
  minArgs: 1,
  maxArgs: 1,
  summary: 'print the newest image directly inside a directory',
  doing: () => 'finding latest image',
  async run(context, [directory = '']) {
    const client = await context.client();
    const reply = await client.call(
      'ImageServer.FindLatestImage',
      FindLatestImageRequest,
      FindLatestImageResponse,
      {
        BuildCommitId: '',
        DirectoryName: directory,
        IgnoreExpiringImages: context.flags.ignoreExpiring,
        TagsToMatch: null,
      },
    );
    if (reply.Error) throw new ImageServerError('DIRECTORY_NOT_FOUND', reply.Error);
    if (!reply.ImageName) throw new ImageServerError('IMAGE_NOT_FOUND', 'no image found');
    await context.out(`${reply.ImageName}\n`);
    return 0;
  },
};
