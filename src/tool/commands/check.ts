import type { Command } from '../command.ts';
import { imageExists } from '../new-image.ts';

export const check: Command = {
  name: 'check',
  args: 'name',
  minArgs: 1,
  maxArgs: 1,
  summary: 'exit 0 if the image exists, else 1',
  doing: () => 'checking image',
  run: async (context, [name = '']) => ((await imageExists(context, name)) ? 0 : 1),
};
