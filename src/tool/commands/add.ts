import { statSync } from 'node:fs';
import { compileFilter } from '../../image/filter.ts';
import { loadImageFilter, loadTriggers, makeImage, refuseExisting, submitImage } from '../add.ts';
import type { Command } from '../command.ts';
import { uploadObjects } from '../objects.ts';
import { type ScannedTree, scanDirectory } from '../scan-directory.ts';
import { scanTar } from '../scan-tar.ts';

export const add: Command = {
  name: 'add',
  args: 'name imagefile filterfile triggerfile',
  minArgs: 4,
  maxArgs: 4,
  summary: 'add an image from a directory, .tar, .tar.gz or .tgz; an empty filter name makes a sparse image',
  doing: ([name]) => `adding image: "${name}"`,
  async run(context, [name = '', source = '', filterFile = '', triggerFile = '']) {
    await refuseExisting(context, name);
    const filter = loadImageFilter(filterFile);
    const triggers = loadTriggers(triggerFile);
    const matches = filter ? compileFilter(filter.FilterLines) : undefined;
    const client = await context.client();
    const scanned: ScannedTree & { cleanUp?: () => void } =
      source !== '-' && statSync(source).isDirectory()
        ? scanDirectory(source, matches)
        : await scanTar(source, matches);
    try {
      await uploadObjects(client, scanned.contents);
    } finally {
      scanned.cleanUp?.();
    }
    await submitImage(context, name, await makeImage(context, { tree: scanned.tree, filter, triggers }));
    return 0;
  },
};
