import { compareVersions } from '../../image/version-order.ts';
import type { Command } from '../command.ts';

export const list: Command = {
  name: 'list',
  args: '',
  minArgs: 0,
  maxArgs: 0,
  summary: 'list all images',
  doing: () => 'listing images',
  async run(context) {
    const channel = await (await context.client()).open('ImageServer.ListImages');
    const names: string[] = [];
    for (let name = await channel.readLine(); name !== ''; name = await channel.readLine()) names.push(name);
    channel.end();
    names.sort(compareVersions);
    await context.out(
      context.flags.json ? `${JSON.stringify(names)}\n` : names.map((name) => `${name}\n`).join(''),
    );
    return 0;
  },
};
