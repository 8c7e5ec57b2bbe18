import type { Command } from '../command.ts';
import { imageDirectories } from '../lists.ts';

export const listdirs: Command = {
  name: 'listdirs',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  summary: 'list all image directories and their owner groups',
  doing: () => 'listing directories',
  async run(context) {
    const directories = await imageDirectories(context);
    if (context.flags.json) {
      await context.json(directories);
      return 0;
    }
    const owned = directories.filter((one) => one.Metadata.OwnerGroup);
    const width = Math.max(0, ...owned.map((one) => one.Name.length));
    const lines = directories.map(({ Name, Metadata: { OwnerGroup } }) =>
      OwnerGroup ? `${Name.padEnd(width)}  OwnerGroup=${OwnerGroup}\n` : `${Name}\n`,
    );
    await context.out(lines.join(''));
    return 0;
  },
};
