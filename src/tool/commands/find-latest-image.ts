import type { Command } from '../command.ts';
import { latestImage } from '../latest-image.ts';

export const findLatestImage: Command = {
  name: 'find-latest-image',
  args: 'directory',
  minArgs: 1,
  maxArgs: 1,
  summary: 'print the newest image directly inside a directory',
  doing: () => 'finding latest image',
  async run(context, [directory = '']) {
    const name = await latestImage(context, directory);
    if (context.flags.json) await context.json({ ImageName: name });
    else await context.out(`${name}\n`);
    return 0;
  },
};
