import { prunePaths } from '../../image/prune.ts';
import type { Command } from '../command.ts';
import { fetchImage, loadFilter, treeOf } from '../images.ts';
import { loadExtras, makeImage, refuseExisting, submitImage, withComputedFiles } from '../new-image.ts';

export const addi: Command = {
  name: 'addi',
  args: 'name imagename filterfile triggerfile',
  minArgs: 4,
  maxArgs: 4,
  summary: 'add an image with the tree of another and its own filter and triggers',
  doing: ([name]) => `adding image: "${name}"\t`,
  async run(context, [name = '', source = '', filterFile = '', triggerFile = '']) {
    await refuseExisting(context, name);
    const extras = await loadExtras(context, filterFile, triggerFile);
    const tree = await withComputedFiles(context, treeOf(await fetchImage(context, source), source));
    const pruned = prunePaths(tree, loadFilter(context.flags.deleteFilter));
    await submitImage(context, name, makeImage(pruned, extras));
    return 0;
  },
};
