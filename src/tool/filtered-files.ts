/** Files that the filter of an image leaves alone: they belong to the machine, not to the image. */
import type { BigIntStats } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { compileFilter } from '../image/filter.ts';
import { withBareDirectory } from './bare-directory.ts';
import type { Context } from './command.ts';
import { findImage } from './images.ts';
import { type FoundFile, walkDirectory } from './walk-directory.ts';

/**
 * Hands over the files of a directory that the image's filter matches and -scanExcludeList does not; `root` is where the
 * directory is seen meanwhile. Nothing of what is below `except` is one of them.
 */
export async function forFilteredFiles(
  context: Context,
  { image: name, directory, except }: { image: string; directory: string; except?: BigIntStats },
  take: (file: FoundFile, root: string) => void | Promise<void>,
): Promise<void> {
  const excluded = compileFilter(context.flags.scanExcludeList);
  context.debug(0, `getting image: ${name}`);
  const image = await findImage(context, name, false);
  if (!image) throw new ImageServerError('IMAGE_NOT_FOUND', `image: ${name} not found`);
  if (!image.Filter)
    throw new ImageServerError('INVALID_IMAGE', `image: ${name} is sparse: it has no filter`);
  const filtered = compileFilter(image.Filter.FilterLines);
  await withBareDirectory(context, directory, async (root) => {
    context.debug(0, `scanning directory: ${directory}`);
    const skip = ({ stat }: FoundFile) => stat.ino === except?.ino && stat.dev === except.dev;
    for (const file of walkDirectory(Buffer.from(root), skip)) {
      if (excluded(file.path) || !filtered(file.path)) continue;
      const taking = take(file, root);
      if (taking) await taking;
    }
  });
}
