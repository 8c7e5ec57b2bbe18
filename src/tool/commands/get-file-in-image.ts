import { writeFileSync } from 'node:fs';
import { ImageServerError } from '../../errors.ts';
import { findPath } from '../../image/tree.ts';
import type { Command } from '../command.ts';
import { fetchTree } from '../images.ts';
import { downloadObjects } from '../objects.ts';

export const getFileInImage: Command = {
  name: 'get-file-in-image',
  args: 'name path [outfile]',
  minArgs: 2,
  maxArgs: 3,
  summary: 'fetch one file of an image to a file or stdout',
  doing: () => 'getting file in image',
  async run(context, [name = '', path = '', outfile = '']) {
    const inode = findPath(await fetchTree(context, name), path);
    if (!inode) throw new ImageServerError('FILE_NOT_FOUND', `file: "${path}" not present in image`);
    if (inode.Kind !== 'regular')
      throw new ImageServerError('INVALID_REQUEST', `file: "${path}" is not a regular file`);
    const pieces: Uint8Array[] = [];
    if (inode.Size > 0n)
      await downloadObjects(await context.client(), [{ hash: inode.Hash, size: Number(inode.Size) }], () => ({
        write: (piece) => {
          pieces.push(piece.slice());
        },
        done: () => undefined,
      }));
    const bytes = Buffer.concat(pieces);
    if (outfile) writeFileSync(outfile, bytes, { mode: 0o644 });
    else await context.out(bytes);
    return 0;
  },
};
