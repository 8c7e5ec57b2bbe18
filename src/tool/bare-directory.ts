/** A directory of this machine without what is mounted below it, as a file system by itself. */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import type { Context } from './command.ts';
import { systemError, toolError } from './errors.ts';
import { bindMount, unmount, unshareMounts } from './system-calls.ts';

/**
 * Runs `work` with a place where the directory is seen: files that a mount hides are there, those that are mounted are not.
 * Nobody else sees the place. Only root may.
 */
export async function withBareDirectory<T>(
  context: Context,
  directory: string,
  work: (root: string) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'imagetool-'));
  const removeRoot = context.cleanUp(() => rmdirSync(root));
  try {
    enter(directory, root);
    const leave = context.cleanUp(() => unmount(Buffer.from(root)));
    try {
      return await work(root);
    } catch (thrown) {
      // Nobody has heard of that place.
      const { code, message } = toolError(thrown);
      throw new ImageServerError(code, message.replaceAll(root, directory), { cause: thrown });
    } finally {
      leave();
    }
  } finally {
    removeRoot();
  }
}

function enter(directory: string, root: string): void {
  try {
    unshareMounts();
  } catch (thrown) {
    const error = systemError(thrown, 'unable to unshare mount namespace') as ImageServerError;
    const hint = error.code === 'ACCESS_DENIED' ? ' (this command needs root)' : '';
    throw new ImageServerError(error.code, `${error.message}${hint}`, { cause: thrown });
  }
  try {
    bindMount(Buffer.from(directory), Buffer.from(root));
  } catch (thrown) {
    throw systemError(thrown, `unable to bind mount ${directory} to ${root}`) ?? thrown;
  }
}
