import type { Command } from '../command.ts';
import { unreferencedObjects } from '../unreferenced.ts';

export const showunrefobj: Command = {
  name: 'showunrefobj',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  summary: 'list the hashes and sizes of objects that no image uses, oldest first',
  doing: () => 'listing unreferenced objects',
  async run(context) {
    await context.out(
      (await unreferencedObjects(context)).map((entry) => `${entry.Hash} ${entry.Size}\n`).join(''),
    );
    return 0;
  },
};
