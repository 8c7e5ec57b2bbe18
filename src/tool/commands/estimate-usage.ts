import { formatBytes } from '../../image/format.ts';
import { estimateUsage as bytesOf } from '../../image/usage.ts';
import type { Command } from '../command.ts';
import { fetchTree } from '../images.ts';

export const estimateUsage: Command = {
  name: 'estimate-usage',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'estimate the space an image takes when unpacked',
  doing: () => 'estimating image size',
  async run(context, [name = '']) {
    const bytes = bytesOf(await fetchTree(context, name));
    if (context.flags.json) await context.json({ bytes });
    else await context.out(`${formatBytes(bytes)}\n`);
    return 0;
  },
};
