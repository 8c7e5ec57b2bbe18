/** New images that are an older one with files replaced. */
import { compileFilter } from '../image/filter.ts';
import { replaceFiles } from '../image/replace-files.ts';
import { isZeroTime } from '../wire/time.ts';
import type { Context } from './command.ts';
import { fetchImage, treeOf } from './images.ts';
import { submitImage } from './new-image.ts';
import { scanSource } from './scan-source.ts';

/** Adds `name`: the image `base` with the layers' files in place of its own. An expiring base is passed over. */
export async function addLayers(
  context: Context,
  name: string,
  base: string,
  layers: readonly string[],
): Promise<void> {
  const image = await fetchImage(context, base);
  if (!isZeroTime(image.ExpiresAt)) {
    context.io.say(`Skipping expiring image: ${base}`);
    return;
  }
  const filter = image.Filter ? compileFilter(image.Filter.FilterLines) : undefined;
  let tree = treeOf(image, base);
  for (const layer of layers) tree = replaceFiles(tree, await scanSource(context, layer, filter));
  await submitImage(context, name, { ...image, FileSystem: tree });
}
