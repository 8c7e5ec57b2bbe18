import type { Command } from '../command.ts';
import { fetchImage } from '../images.ts';
import { metadataText } from '../metadata.ts';

export const showMetadata: Command = {
  name: 'show-metadata',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'print everything about an image but its files, as JSON',
  doing: () => 'showing image metadata',
  async run(context, [name = '']) {
    await context.out(metadataText(await fetchImage(context, name, false)));
    return 0;
  },
};
