import { ImageServerError } from '../../errors.ts';
import { triggersText } from '../../image/triggers.ts';
import type { Command } from '../command.ts';
import { fetchImage } from '../images.ts';

export const showTriggers: Command = {
  name: 'show-triggers',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'print the triggers of an image in the form of a trigger file',
  doing: () => 'showing image triggers',
  async run(context, [name = '']) {
    const { Triggers: triggers } = await fetchImage(context, name, false);
    if (!triggers) throw new ImageServerError('FILE_NOT_FOUND', 'no triggers');
    await context.out(triggersText(triggers.Triggers.filter((one) => one !== null)));
    return 0;
  },
};
