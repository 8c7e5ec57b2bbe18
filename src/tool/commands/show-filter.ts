import { ImageServerError } from '../../errors.ts';
import { GetImageRequest, GetImageResponse } from '../../wire/messages/imageserver.ts';
import type { Command } from '../command.ts';

export const showFilter: Command = {
  name: 'show-filter',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'print the filter lines of an image',
  doing: () => 'showing filter',
  async run(context, [name = '']) {
    const { Image } = await (await context.client()).call(
      'ImageServer.GetImage',
      GetImageRequest,
      GetImageResponse,
      {
        ImageName: name,
        IgnoreFilesystem: true,
        IgnoreFilesystemIfExpiring: false,
        Timeout: context.flags.timeout,
      },
    );
    if (!Image) throw new ImageServerError('IMAGE_NOT_FOUND', 'no image');
    if (!Image.Filter) throw new ImageServerError('FILE_NOT_FOUND', 'no filter');
    await context.out(Image.Filter.FilterLines.map((line) => `${line}\n`).join(''));
    return 0;
  },
};
