import type { Command } from '../command.ts';
import { findImage } from '../images.ts';

export const wait: Command = {
  name: 'wait',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'wait as long as -timeout says until the image exists; exit 0 if it does, else 1',
  doing: () => 'waiting for image',
  run: async (context, [name = '']) => ((await findImage(context, name, false)) ? 0 : 1),
};
