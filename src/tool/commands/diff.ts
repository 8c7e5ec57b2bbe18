import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageServerError } from '../../errors.ts';
import { compareTrees } from '../../image/compare.ts';
import { listingLines } from '../../image/listing.ts';
import { prunePaths } from '../../image/prune.ts';
import { toJson } from '../../wire/json.ts';
import { type FileSystem, GenericInode } from '../../wire/messages/filesystem.ts';
import { encodeText } from '../../wire/text.ts';
import type { Command, Context } from '../command.ts';
import { Failure, toolError } from '../errors.ts';
import { fetchTree, loadFilter } from '../images.ts';

async function treeToCompare(context: Context, source: string, side: 'left' | 'right'): Promise<FileSystem> {
  try {
    return prunePaths(await fetchTree(context, source), loadFilter(context.flags.deleteFilter));
  } catch (thrown) {
    const error = toolError(thrown);
    if (error instanceof Failure) throw error;
    throw new Failure(error.code, `getting ${side} image: ${error.message}`, { cause: thrown });
  }
}

function listing(context: Context, tree: FileSystem): Uint8Array {
  const { filterFile, skipFields } = context.flags;
  const skip = loadFilter(filterFile);
  const lines = listingLines(tree, { skipFields, ...(skip && { skip }) });
  return Buffer.concat([...lines].map((line) => encodeText(`${line}\n`)));
}

/** Runs the tool on both listings; its failure is ours. */
async function compareWith(
  context: Context,
  tool: string,
  left: FileSystem,
  right: FileSystem,
): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'imagetool-'));
  const remove = context.cleanUp(() => rmSync(directory, { recursive: true, force: true }));
  try {
    const files = [join(directory, 'left'), join(directory, 'right')] as const;
    writeFileSync(files[0], listing(context, left));
    writeFileSync(files[1], listing(context, right));
    const [program = '', ...options] = Bun.which(tool) ? [tool] : tool.split(/\s+/);
    if (!Bun.which(program))
      throw new ImageServerError('FILE_NOT_FOUND', `exec: "${program}": executable file not found in $PATH`);
    const child = Bun.spawn([program, ...options, ...files], {
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
    });
    const status = await child.exited;
    if (status !== 0) throw new ImageServerError('CONFLICT', `exit status ${status}`);
    return 0;
  } finally {
    remove();
  }
}

/** Compares path by path and prints what was removed, added and changed; exit status 1 if anything was. */
async function compareHere(context: Context, left: FileSystem, right: FileSystem): Promise<number> {
  const skip = loadFilter(context.flags.filterFile);
  const changes: unknown[] = [];
  const lines: string[] = [];
  const inodeOf = (inode: GenericInode | undefined): unknown =>
    inode
      ? { ...JSON.parse(toJson(GenericInode, inode)), EntryList: undefined, EntriesByName: undefined }
      : null;
  for (const difference of compareTrees(left, right)) {
    if (!difference || skip?.(difference.path)) continue;
    const { path, fields } = difference;
    if (context.flags.json)
      changes.push({ path, fields, left: inodeOf(difference.left), right: inodeOf(difference.right) });
    else if (!difference.right) lines.push(`- ${path}\n`);
    else if (!difference.left) lines.push(`+ ${path}\n`);
    else lines.push(`~ ${path} (${fields.join(', ')})\n`);
  }
  if (context.flags.json) await context.json(changes);
  else await context.out(encodeText(lines.join('')));
  return changes.length + lines.length === 0 ? 0 : 1;
}

export const diff: Command = {
  name: 'diff',
  args: '[tool] left right',
  minArgs: 2,
  maxArgs: 3,
  summary:
    'compare the listings of two images with a tool such as diff; without a tool (or with -json) print the changes',
  doing: () => 'diffing images',
  async run(context, args) {
    const [tool, left = '', right = ''] = args.length === 3 ? args : ['', ...args];
    const leftTree = await treeToCompare(context, left, 'left');
    const rightTree = await treeToCompare(context, right, 'right');
    return tool && !context.flags.json
      ? compareWith(context, tool, leftTree, rightTree)
      : compareHere(context, leftTree, rightTree);
  },
};
