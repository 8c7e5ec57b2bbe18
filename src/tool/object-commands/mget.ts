import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ImageServerError } from '../../errors.ts';
import type { Command } from '../command.ts';
import { downloadObjects } from '../download.ts';
import { hashOf } from '../hash-argument.ts';
import { objectSizes } from '../object-file.ts';
import { readTextFile } from '../text-file.ts';

export const mget: Command = {
  name: 'mget',
  args: 'hashesFile directory',
  minArgs: 2,
  maxArgs: 2,
  summary: 'write the objects listed in a file into a new directory, one file each',
  doing: () => 'getting objects',
  async run(context, [list = '', directory = '']) {
    const lines = readTextFile(list).split('\n');
    const hashes = [
      ...new Set(lines.filter((line) => line.trim() !== '').map((line) => hashOf(line.trim()))),
    ];
    const temporary = `${directory}~`;
    if (existsSync(directory))
      throw new ImageServerError('CONFLICT', `rename ${temporary} ${directory}: file exists`);
    const sizes = await objectSizes(context, hashes);
    const absent = hashes.find((_, index) => sizes[index] === 0);
    if (absent !== undefined) throw new ImageServerError('OBJECT_NOT_FOUND', `unknown object: ${absent}`);
    mkdirSync(temporary, { mode: 0o700 });
    const remove = context.cleanUp(() => rmSync(temporary, { recursive: true, force: true }));
    await downloadObjects(
      await context.client(),
      hashes.map((hash, index) => ({ hash, size: sizes[index] as number })),
      ({ hash }) => {
        const fd = openSync(join(temporary, hash), 'wx', 0o640);
        return {
          write(bytes) {
            for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
          },
          done: () => closeSync(fd),
          failed: () => closeSync(fd),
        };
      },
      context.progress,
    );
    renameSync(temporary, directory);
    remove();
    return 0;
  },
};
