import { mergeTriggers as mergeAll, parseTriggers, triggersText } from '../../image/triggers.ts';
import type { Command } from '../command.ts';
import { readTextFile } from '../text-file.ts';

export const mergeTriggers: Command = {
  name: 'merge-triggers',
  args: 'triggerfile...',
  minArgs: 1,
  maxArgs: Number.POSITIVE_INFINITY,
  summary: 'print the triggers of files with those for one service made one',
  doing: () => 'merging triggers',
  async run(context, files) {
    const { Triggers } = mergeAll(files.map((file) => parseTriggers(readTextFile(file))));
    await context.out(triggersText(Triggers.filter((one) => one !== null)));
    return 0;
  },
};
