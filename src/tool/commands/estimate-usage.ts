import { formatBytes } from '../../image/format.ts';
import type { Command } from '../command.ts';
import { fetchTree } from '../images.ts';

const BLOCK = 4096n;
const SYMLINK = 64n;

export const estimateUsage: Command = {
  name: 'estimate-usage',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'estimate the space an image takes when unpacked',
  doing: () => 'estimating usage',
  async run(context, [name = '']) {
    const tree = await fetchTree(context, name);
    let total = BLOCK;
    for (const inode of tree.InodeTable?.values() ?? []) {
      if (inode?.Kind === 'regular') total += ((inode.Size + BLOCK - 1n) / BLOCK) * BLOCK;
      else if (inode?.Kind === 'directory') total += BLOCK;
      else if (inode?.Kind === 'symlink') total += SYMLINK;
    }
    await context.out(`${formatBytes(total)}\n`);
    return 0;
  },
};
