/**
 * Makes a directory equal to an image. Everything that is new is completed beside, in the agent's own directory, before
 * the first change; each change by itself is atomic.
 */
import { lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { compileFilter, type PathFilter } from '../image/filter.ts';
import { formatSpan } from '../image/format.ts';
import { type Patch, planPatch } from '../image/patch.ts';
import { checkEntryNames, walkTree } from '../image/tree.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import { encodeText } from '../wire/text.ts';
import { PatchApplier } from './apply-patch.ts';
import { withBareDirectory } from './bare-directory.ts';
import type { Context } from './command.ts';
import { fetchImage, treeOf } from './images.ts';
import { scanDirectory } from './scan-directory.ts';
import { type LocalSource, StagedFiles } from './staged-files.ts';
import { clearLeftOver, writeMarker } from './target-directory.ts';
import { walkDirectory } from './walk-directory.ts';

/** The directory of the agent: scans leave it out. */
const AGENT = '.subd';

/** Adds, changes and deletes; what the image's filter matches is left alone, and a sparse image deletes nothing. */
export async function patchDirectory(context: Context, name: string, directory: string): Promise<void> {
  context.debug(0, `getting image: ${name}`);
  const image = await fetchImage(context, name);
  const wanted = treeOf(image, name);
  checkEntryNames(wanted);
  if (wanted.DirectoryInode.EntryList.some((entry) => entry?.Name === AGENT))
    throw new ImageServerError('INVALID_IMAGE', `image contains /${AGENT}`);
  const filter = image.Filter ? compileFilter(image.Filter.FilterLines) : undefined;
  await withBareDirectory(context, directory, async (root) => {
    context.debug(0, `scanning directory: ${directory}`);
    const present = await scanDirectory(root, { filter, progress: context.progress });
    const patch = planPatch(present, wanted, filter);
    if (filter) refuseProtected(patch, present, root, filter);
    await withWorkDirectory(context, root, async (work) => {
      const files = new StagedFiles(context, work, true);
      await stage(context, patch, files, sourcesOf(present, root));
      context.debug(0, 'starting update');
      new PatchApplier(context, { root, shown: directory, files, filter }).apply(patch);
    });
    writeMarker(context, root, 'patched-image', name, directory);
  });
}

/** Throws CONFLICT if a file is to take the place of a directory in which the filter leaves something alone. */
function refuseProtected(patch: Patch, present: FileSystem, root: string, filter: PathFilter): void {
  const directories = new Set<string>();
  for (const { path, inode } of walkTree(present, filter))
    if (inode.Kind === 'directory') directories.add(path);
  for (const { path } of [...patch.inodes, ...patch.links]) {
    if (!directories.has(path)) continue;
    for (const below of walkDirectory(Buffer.concat([Buffer.from(root), encodeText(path)]), undefined, path))
      if (filter(below.path))
        throw new ImageServerError(
          'CONFLICT',
          `${path}: is no directory in the image, and the filter leaves ${below.path} alone`,
        );
  }
}

/** A new directory on the same file system, which scans do not see. */
async function withWorkDirectory(
  context: Context,
  root: string,
  work: (directory: Buffer) => Promise<void>,
): Promise<void> {
  const agent = join(root, AGENT);
  const present = lstatSync(agent, { throwIfNoEntry: false });
  if (present && !present.isDirectory())
    throw new ImageServerError('CONFLICT', `/${AGENT} is not a directory`);
  if (!present) mkdirSync(agent, { mode: 0o700 });
  const directory = Buffer.from(join(agent, 'imagetool'));
  clearLeftOver(directory);
  mkdirSync(directory, { mode: 0o700 });
  const remove = context.cleanUp(() => {
    rmSync(directory, { recursive: true, force: true });
    if (readdirSync(agent).length === 0) rmdirSync(agent);
  });
  try {
    await work(directory);
  } finally {
    remove();
  }
}

/** Where the directory has contents already. */
function sourcesOf(present: FileSystem, root: string): LocalSource {
  const paths = new Map<string, string>();
  for (const { path, inode } of walkTree(present))
    if (inode.Kind === 'regular' && inode.Size > 0n) paths.set(inode.Hash, path);
  return (hash) => {
    const path = paths.get(hash);
    return path === undefined ? undefined : Buffer.concat([Buffer.from(root), encodeText(path)]);
  };
}

/** Makes all new files. */
async function stage(context: Context, patch: Patch, files: StagedFiles, local: LocalSource): Promise<void> {
  let bytes = 0n;
  for (const { number, inode } of patch.inodes) {
    if (inode.Kind !== 'regular') continue;
    files.add(number, inode);
    bytes += inode.Size;
  }
  const { bavail, bsize } = statfsSync(files.directory);
  if (Number(bytes) > bavail * bsize)
    throw new ImageServerError('NO_SPACE', 'image will not fit on file-system');
  const { length } = files.wanted(local);
  context.debug(0, `fetching ${length} objects`);
  const start = performance.now();
  await files.fetch(local);
  const span = BigInt(Math.round((performance.now() - start) * 1e6));
  context.debug(0, `fetched ${length} objects in ${formatSpan(span)}`);
}
