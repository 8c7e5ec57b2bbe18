import type { Command } from '../command.ts';
import { unreferencedObjects } from '../lists.ts';

export const listunrefobj: Command = {
  name: 'listunrefobj',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  summary: 'list the hashes of objects that no image uses',
  doing: () => 'listing unreferenced objects',
  async run(context) {
    const hashes = (await unreferencedObjects(context)).map((entry) => entry.Hash);
    if (context.flags.json) await context.json(hashes);
    else await context.out(hashes.map((hash) => `${hash}\n`).join(''));
    return 0;
  },
};
