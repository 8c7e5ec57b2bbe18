/** The tree of a directory or an archive, its contents uploaded. */
import { statSync } from 'node:fs';
import type { PathFilter } from '../image/filter.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import type { Context } from './command.ts';
import { prefixed } from './errors.ts';
import { scanDirectory } from './scan-directory.ts';
import { scanTar } from './scan-tar.ts';
import { Uploader } from './upload.ts';

function isDirectory(source: string): boolean {
  if (source === '-') return false;
  try {
    return statSync(source).isDirectory();
  } catch (error) {
    // The name under which the original reports it.
    Object.assign(error as Error, { syscall: 'lstat' });
    throw error;
  }
}

/** Scans, leaving out what the filter matches; the server has all contents when this resolves. */
export function scanSource(
  context: Context,
  source: string,
  filter: PathFilter | undefined,
): Promise<FileSystem> {
  return prefixed('error building image: ', async () => {
    const directory = isDirectory(source);
    const uploader = new Uploader(context);
    const tree = directory
      ? await scanDirectory(source, {
          filter,
          progress: context.progress,
          sink: (content) => uploader.add(content),
        })
      : await scanTar(context, source, { filter, uploader });
    await uploader.finish();
    return tree;
  });
}
