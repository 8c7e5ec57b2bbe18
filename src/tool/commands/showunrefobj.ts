import type { Command } from '../command.ts';
import { unreferencedObjects } from '../lists.ts';

export const showunrefobj: Command = {
  name: 'showunrefobj',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  summary: 'list the hashes and sizes of objects that no image uses',
  doing: () => 'listing unreferenced objects',
  async run(context) {
    const entries = await unreferencedObjects(context);
    if (context.flags.json) await context.json(entries);
    else await context.out(entries.map((entry) => `${entry.Hash} ${entry.Size}\n`).join(''));
    return 0;
  },
};
