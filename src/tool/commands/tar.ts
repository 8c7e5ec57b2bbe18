import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import { createGzip } from 'node:zlib';
import type { Command } from '../command.ts';
import { fetchTree } from '../images.ts';
import { writeTar } from '../write-tar.ts';

export const tar: Command = {
  name: 'tar',
  args: 'name [file]',
  minArgs: 1,
  maxArgs: 2,
  summary: 'write an image as a tar archive to a file or stdout (-compress: gzip)',
  doing: () => 'tarring image',
  async run(context, [name = '', file = '']) {
    const tree = await fetchTree(context, name);
    const target = file === '' ? process.stdout : createWriteStream(file, { mode: 0o644 });
    const gzip = context.flags.compress ? createGzip() : undefined;
    gzip?.pipe(target);
    const out = gzip ?? target;
    try {
      await writeTar(await context.client(), tree, context.flags.computedFilesRoot, async (bytes) => {
        if (!out.write(bytes)) await once(out, 'drain');
      });
      if (file === '' && !gzip) return 0;
      out.end();
      await once(file === '' ? (gzip as NodeJS.WritableStream) : target, file === '' ? 'end' : 'finish');
      return 0;
    } catch (error) {
      if (file !== '') rmSync(file, { force: true });
      throw error;
    }
  },
};
