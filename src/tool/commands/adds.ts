import { compileFilter } from '../../image/filter.ts';
import { prunePaths } from '../../image/prune.ts';
import type { Command } from '../command.ts';
import { loadFilter } from '../images.ts';
import { loadExtras, makeImage, refuseExisting, submitImage, withComputedFiles } from '../new-image.ts';
import { pollSub, uploadFromSub } from '../sub.ts';

export const adds: Command = {
  name: 'adds',
  args: 'name subname filterfile triggerfile',
  minArgs: 4,
  maxArgs: 4,
  summary: 'add an image of a running machine, by its subd (HOST or HOST:PORT)',
  doing: ([name]) => `adding image: "${name}"\t`,
  async run(context, [name = '', sub = '', filterFile = '', triggerFile = '']) {
    await refuseExisting(context, name);
    const deleted = loadFilter(context.flags.deleteFilter);
    const extras = await loadExtras(context, filterFile, triggerFile);
    const filter = extras.filter ? compileFilter(extras.filter.FilterLines) : undefined;
    const polled = prunePaths(prunePaths(await pollSub(context, sub), deleted), filter);
    const tree = await withComputedFiles(context, polled);
    await uploadFromSub(context, sub, tree);
    await submitImage(context, name, makeImage(tree, extras));
    return 0;
  },
};
