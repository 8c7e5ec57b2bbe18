/** Directories of this machine into which an image is put: what is in the way, the name of the image. */
import { lstatSync, mkdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from './command.ts';

/** Removes what is in the way of a file, but never a directory. */
export function clear(path: Buffer): void {
  if (lstatSync(path, { throwIfNoEntry: false })) unlinkSync(path);
}

/** What an earlier run that was killed left behind. */
export function clearLeftOver(work: Buffer): void {
  if (lstatSync(work, { throwIfNoEntry: false })?.isDirectory()) rmSync(work, { recursive: true });
}

/** Writes the name of the image where machines look for it. Leaves it where a symbolic link would lead elsewhere. */
export function writeMarker(
  context: Context,
  directory: string,
  file: 'initial-image' | 'patched-image',
  name: string,
  shown = directory,
): void {
  let path = directory;
  for (const part of ['var', 'lib']) {
    path = join(path, part);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat) mkdirSync(path, { mode: 0o755 });
    else if (!stat.isDirectory()) {
      const where = join(shown, path.slice(directory.length));
      context.io.say(`Not writing ${shown}/var/lib/${file}: ${where} is not a directory`);
      return;
    }
  }
  const marker = join(path, file);
  clear(Buffer.from(marker));
  writeFileSync(marker, `${name}\n`, { flag: 'wx', mode: 0o644 });
}
