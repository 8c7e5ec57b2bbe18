import { walkTree } from '../../image/tree.ts';
import { matchingTriggers, parseTriggers, triggersText } from '../../image/triggers.ts';
import type { FileSystem } from '../../wire/messages/filesystem.ts';
import type { Command } from '../command.ts';
import { fetchTree } from '../images.ts';
import { readTextFile } from '../text-file.ts';

function* paths(tree: FileSystem): Generator<string> {
  for (const { path } of walkTree(tree)) yield path;
}

export const matchTriggers: Command = {
  name: 'match-triggers',
  args: 'name triggerfile',
  minArgs: 2,
  maxArgs: 2,
  summary: 'print the triggers of a file that match at least one path of an image',
  doing: () => 'matching triggers',
  async run(context, [name = '', file = '']) {
    const tree = await fetchTree(context, name);
    const triggers = parseTriggers(readTextFile(file));
    await context.out(triggersText(matchingTriggers(triggers, paths(tree))));
    return 0;
  },
};
