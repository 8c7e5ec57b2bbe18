import type { FileSystem } from '../../wire/messages/filesystem.ts';
import { makeImage, refuseExisting, submitImage } from '../add.ts';
import type { Command } from '../command.ts';
import { fetchImage } from '../images.ts';

export const copy: Command = {
  name: 'copy',
  args: 'name oldimagename',
  minArgs: 2,
  maxArgs: 2,
  summary: 'copy an image under a new name',
  doing: () => 'copying image',
  async run(context, [name = '', old = '']) {
    await refuseExisting(context, name);
    const base = await fetchImage(context, old);
    const image = await makeImage(context, {
      tree: base.FileSystem as FileSystem,
      filter: base.Filter,
      triggers: base.Triggers,
      base,
    });
    await submitImage(context, name, image);
    return 0;
  },
};
