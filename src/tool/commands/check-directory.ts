import type { Command } from '../command.ts';
import { directoryExists } from '../directories.ts';

export const checkDirectory: Command = {
  name: 'check-directory',
  args: 'dirname',
  minArgs: 1,
  maxArgs: 1,
  summary: 'exit 0 if the image directory exists, else 1',
  doing: () => 'checking directory',
  run: async (context, [name = '']) => ((await directoryExists(context, name)) ? 0 : 1),
};
