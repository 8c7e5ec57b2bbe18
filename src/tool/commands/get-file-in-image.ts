import { writeFileSync } from 'node:fs';
import { ImageServerError } from '../../errors.ts';
import { findPath } from '../../image/tree.ts';
import type { Command } from '../command.ts';
import { fetchTree } from '../images.ts';
import { writeObject } from '../object-file.ts';

export const getFileInImage: Command = {
  name: 'get-file-in-image',
  args: 'name path [outfile]',
  minArgs: 2,
  maxArgs: 3,
  summary: 'write one file of an image to a file or stdout',
  doing: () => 'getting file in image',
  async run(context, [name = '', path = '', outfile = '']) {
    const inode = findPath(await fetchTree(context, name), path);
    if (!inode) throw new ImageServerError('FILE_NOT_FOUND', `file: "${path}" not present in image`);
    if (inode.Kind !== 'regular')
      throw new ImageServerError('INVALID_REQUEST', `file: "${path}" is not a regular file`);
    if (inode.Size > 0n) await writeObject(context, inode.Hash, outfile, { size: Number(inode.Size) });
    else if (outfile !== '') writeFileSync(outfile, '', { mode: 0o644 });
    return 0;
  },
};
