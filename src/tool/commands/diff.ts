import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageServerError } from '../../errors.ts';
import { listingLines } from '../../image/listing.ts';
import type { Command, Context } from '../command.ts';
import { deletePaths } from '../delete-paths.ts';
import { fetchTree, loadFilter } from '../images.ts';

async function listingOf(context: Context, source: string, side: string): Promise<string> {
  const { filterFile, deleteFilter, skipFields } = context.flags;
  try {
    const tree = deletePaths(await fetchTree(context, source), loadFilter(deleteFilter));
    const skip = loadFilter(filterFile);
    return [...listingLines(tree, { skipFields, ...(skip ? { skip } : {}) })]
      .map((line) => `${line}\n`)
      .join('');
  } catch (cause) {
    if (!(cause instanceof ImageServerError)) throw cause;
    throw new ImageServerError(cause.code, `getting ${side} image: ${cause.message}`, { cause });
  }
}

export const diff: Command = {
  name: 'diff',
  args: 'tool left right',
  minArgs: 3,
  maxArgs: 3,
  summary: 'compare two images (or d:, f:, l: sources) with a tool such as diff',
  doing: () => 'diffing images',
  async run(context, [tool = '', left = '', right = '']) {
    const directory = mkdtempSync(join(tmpdir(), 'imagetool-'));
    try {
      const files: string[] = [];
      for (const [side, source] of [
        ['left', left],
        ['right', right],
      ] as const) {
        const file = join(directory, side);
        writeFileSync(file, await listingOf(context, source, side));
        files.push(file);
      }
      if (!Bun.which(tool))
        throw new ImageServerError('FILE_NOT_FOUND', `exec: "${tool}": executable file not found in $PATH`);
      const child = Bun.spawn([tool, ...files], { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' });
      const status = await child.exited;
      if (status !== 0) throw new ImageServerError('CONFLICT', `exit status ${status}`);
      return 0;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
