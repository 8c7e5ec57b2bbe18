import { loadImageFilter, loadTriggers, makeImage, refuseExisting, submitImage } from '../add.ts';
import type { Command } from '../command.ts';
import { deletePaths } from '../delete-paths.ts';
import { fetchTree, loadFilter } from '../images.ts';

export const addi: Command = {
  name: 'addi',
  args: 'name imagename filterfile triggerfile',
  minArgs: 4,
  maxArgs: 4,
  summary: 'add an image with the tree of another and its own filter and triggers',
  doing: ([name]) => `adding image: "${name}"`,
  async run(context, [name = '', source = '', filterFile = '', triggerFile = '']) {
    await refuseExisting(context, name);
    const filter = loadImageFilter(filterFile);
    const triggers = loadTriggers(triggerFile);
    const tree = deletePaths(await fetchTree(context, `i:${source}`), loadFilter(context.flags.deleteFilter));
    await submitImage(context, name, await makeImage(context, { tree, filter, triggers }));
    return 0;
  },
};
