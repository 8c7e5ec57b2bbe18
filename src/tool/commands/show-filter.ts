import { ImageServerError } from '../../errors.ts';
import type { Command } from '../command.ts';
import { findImage } from '../images.ts';

export const showFilter: Command = {
  name: 'show-filter',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'print the filter lines of an image',
  doing: () => 'showing image filter',
  async run(context, [name = '']) {
    const image = await findImage(context, name, false);
    if (!image) throw new ImageServerError('IMAGE_NOT_FOUND', 'no image');
    if (!image.Filter) throw new ImageServerError('FILE_NOT_FOUND', 'no filter');
    if (context.flags.json) await context.json(image.Filter.FilterLines);
    else await context.out(image.Filter.FilterLines.map((line) => `${line}\n`).join(''));
    return 0;
  },
};
