import type { Command } from '../command.ts';
import { imageNames } from '../lists.ts';

export const list: Command = {
  name: 'list',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  summary: 'list all images',
  doing: () => 'listing images',
  async run(context) {
    const names = await imageNames(context);
    if (context.flags.json) await context.json(names);
    else await context.out(names.map((name) => `${name}\n`).join(''));
    return 0;
  },
};
