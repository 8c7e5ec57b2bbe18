import type { Command } from '../command.ts';
import { hashOf } from '../hash-argument.ts';
import { objectSizes } from '../object-file.ts';

export const check: Command = {
  name: 'check',
  args: 'hash',
  minArgs: 1,
  maxArgs: 1,
  summary: 'exit 0 if the server has the object, else 1',
  doing: () => 'checking object',
  async run(context, [text = '']) {
    const [size] = await objectSizes(context, [hashOf(text)]);
    return size ? 0 : 1;
  },
};
