import type { Command } from '../command.ts';
import { fetchImage } from '../images.ts';
import { refuseExisting, submitImage } from '../new-image.ts';

export const copy: Command = {
  name: 'copy',
  args: 'name oldimagename',
  minArgs: 2,
  maxArgs: 2,
  summary: 'add an image that is a copy of another',
  doing: () => 'copying image',
  async run(context, [name = '', old = '']) {
    await refuseExisting(context, name);
    await submitImage(context, name, await fetchImage(context, old));
    return 0;
  },
};
