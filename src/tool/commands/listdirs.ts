import { compareVersions } from '../../image/version-order.ts';
import { Directory } from '../../wire/messages/image.ts';
import type { Command } from '../command.ts';

export const listdirs: Command = {
  name: 'listdirs',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  summary: 'list all image directories and their owner groups',
  doing: () => 'listing directories',
  async run(context) {
    const channel = await (await context.client()).open('ImageServer.ListDirectories');
    const directories: Directory[] = [];
    for (;;) {
      const directory = await channel.receive(Directory);
      if (!directory || directory.Name === '') break;
      directories.push(directory);
    }
    channel.end();
    directories.sort((a, b) => compareVersions(a.Name, b.Name));
    if (context.flags.json) {
      await context.out(`${JSON.stringify(directories)}\n`);
      return 0;
    }
    const width = Math.max(
      0,
      ...directories.filter((one) => one.Metadata.OwnerGroup).map((one) => one.Name.length),
    );
    const lines = directories.map(({ Name, Metadata: { OwnerGroup } }) =>
      OwnerGroup ? `${Name.padEnd(width)}  OwnerGroup=${OwnerGroup}\n` : `${Name}\n`,
    );
    await context.out(lines.join(''));
    return 0;
  },
};
