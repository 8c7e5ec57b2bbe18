import { compileFilter } from '../../image/filter.ts';
import type { Command } from '../command.ts';
import {
  loadExtras,
  makeImage,
  refuseExisting,
  submitImage,
  withComputedFiles,
  withCopiedMtimes,
} from '../new-image.ts';
import { scanSource } from '../scan-source.ts';

export const add: Command = {
  name: 'add',
  args: 'name imagefile filterfile triggerfile',
  minArgs: 4,
  maxArgs: 4,
  summary:
    'add an image from a directory or archive (.tar, .tar.gz, .tgz; - is stdin); an empty filter name makes it sparse',
  doing: ([name]) => `adding image: "${name}"`,
  async run(context, [name = '', source = '', filterFile = '', triggerFile = '']) {
    await refuseExisting(context, name);
    const extras = await loadExtras(context, filterFile, triggerFile);
    const filter = extras.filter ? compileFilter(extras.filter.FilterLines) : undefined;
    const scanned = await scanSource(context, source, filter);
    const tree = await withCopiedMtimes(context, await withComputedFiles(context, scanned));
    await submitImage(context, name, makeImage(tree, extras));
    return 0;
  },
};
