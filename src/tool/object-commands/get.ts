import type { Command } from '../command.ts';
import { hashOf } from '../hash-argument.ts';
import { writeObject } from '../object-file.ts';

export const get: Command = {
  name: 'get',
  args: 'hash baseOutputFilename',
  minArgs: 2,
  maxArgs: 2,
  summary: 'write an object to BASE.HASH, or to stdout if the base is -',
  doing: () => 'getting object',
  async run(context, [text = '', base = '']) {
    const hash = hashOf(text);
    await writeObject(context, hash, base === '-' ? '' : `${base}.${hash}`, { mode: 0o640 });
    return 0;
  },
};
