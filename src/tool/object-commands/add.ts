import { statSync } from 'node:fs';
import type { Command } from '../command.ts';
import { hashFile } from '../content.ts';
import { Uploader } from '../upload.ts';

export const add: Command = {
  name: 'add',
  args: 'files...',
  minArgs: 1,
  maxArgs: Number.POSITIVE_INFINITY,
  summary: 'upload files as objects; what is no file or empty is passed over (-json prints the hashes)',
  doing: () => 'adding objects',
  async run(context, files) {
    const uploader = new Uploader(context);
    const hashes: Record<string, string> = {};
    for (const file of files) {
      const stat = statSync(file);
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
