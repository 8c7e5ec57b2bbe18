import { type Stats, statSync } from 'node:fs';
import type { Command } from '../command.ts';
import { hashFile } from '../content.ts';
import { Uploader } from '../upload.ts';

function look(file: string): Stats {
  try {
    return statSync(file);
  } catch (error) {
    // The name under which the original reports it.
    throw Object.assign(error as Error, { syscall: 'open' });
  }
}

export const add: Command = {
  name: 'add',
  args: 'files...',
  minArgs: 1,
  maxArgs: Number.POSITIVE_INFINITY,
  summary: 'upload files as objects; what is no file or empty is passed over (-json prints the hashes)',
  doing: () => 'adding objects hash',
  async run(context, files) {
    const uploader = new Uploader(context);
    const hashes: Record<string, string> = {};
    for (const file of files) {
      const stat = look(file);
      if (!stat.isFile() || stat.size === 0) continue;
      const content = await hashFile(file, stat.size, () => undefined);
      hashes[file] = content.hash;
      await uploader.add(content);
    }
    await uploader.finish();
    if (context.flags.json) await context.json(hashes);
    return 0;
  },
};
