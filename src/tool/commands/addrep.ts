import type { Command } from '../command.ts';
import { addLayers } from '../layers.ts';
import { refuseExisting } from '../new-image.ts';

export const addrep: Command = {
  name: 'addrep',
  args: 'name baseimage layerimage...',
  minArgs: 3,
  maxArgs: Number.POSITIVE_INFINITY,
  summary: 'add an image that is another with files replaced by those of directories or archives',
  doing: ([name]) => `adding image: "${name}"`,
  async run(context, [name = '', base = '', ...layers]) {
    await refuseExisting(context, name);
    await addLayers(context, name, base, layers);
    return 0;
  },
};
