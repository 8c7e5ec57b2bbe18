/** Image directories: making, owning, removing. */
import { lstatSync, rmSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { checkDirectoryName } from '../image/names.ts';
import { parentDirectory } from '../image/paths.ts';
import { writeOwnerGroup } from './directory-metadata.ts';
import { errno } from './disk.ts';
import type { DirectoryImageStore } from './image-store.ts';

const DIRECTORY_MODE = 0o755;

export function makeDirectory(store: DirectoryImageStore, name: string, ownerGroup: string): Promise<void> {
  checkDirectoryName(name);
  return store.exclusive(name, async () => {
    const { catalogue, options } = store;
    if (catalogue.hasDirectory(name))
      throw new ImageServerError('DIRECTORY_EXISTS', `directory: ${name} already exists`);
    const parent = parentDirectory(name);
    if (!catalogue.hasDirectory(parent))
      throw new ImageServerError('DIRECTORY_NOT_FOUND', `no metadata for: ${parent}`);
    await makeThere(store, store.pathOf(name), name, ownerGroup);
    await options.disk.syncPath(store.pathOf(parent));
    catalogue.putDirectory(name, ownerGroup);
    catalogue.emit({ kind: 'mkdir', directory: { Name: name, Metadata: { OwnerGroup: ownerGroup } } });
  });
}

/** Made aside and renamed into place: it is never seen without its owner group. */
async function makeThere(
  store: DirectoryImageStore,
  path: string,
  name: string,
  ownerGroup: string,
): Promise<void> {
  const { disk } = store.options;
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !there.isDirectory())
    throw new ImageServerError('DIRECTORY_EXISTS', `there is or was an image of that name: ${name}`);
  if (there || ownerGroup === '') {
    disk.mkdir(path, DIRECTORY_MODE);
    await writeOwnerGroup(disk, path, store.temporaryPath(), ownerGroup);
    return;
  }
  const aside = store.temporaryPath();
  disk.mkdir(aside, DIRECTORY_MODE);
  try {
    await writeOwnerGroup(disk, aside, store.temporaryPath(), ownerGroup);
    disk.rename(aside, path);
  } catch (thrown) {
    rmSync(aside, { recursive: true, force: true });
    throw thrown;
  }
}

export function setOwnerGroup(store: DirectoryImageStore, name: string, group: string): Promise<void> {
  return store.exclusive(name, async () => {
    const { catalogue, options } = store;
    if (!catalogue.hasDirectory(name))
      throw new ImageServerError('DIRECTORY_NOT_FOUND', `no metadata for: "${name}"`);
    if (catalogue.ownerGroup(name) === group) return;
    await writeOwnerGroup(options.disk, store.pathOf(name), store.temporaryPath(), group);
    catalogue.putDirectory(name, group);
    options.reporter.healed('metadata', name);
    catalogue.emit({ kind: 'mkdir', directory: { Name: name, Metadata: { OwnerGroup: group } } });
  });
}

export function removeDirectory(store: DirectoryImageStore, name: string): Promise<void> {
  checkDirectoryName(name);
  return store.exclusive(name, async () => {
    const { catalogue, options } = store;
    if (name === '.') throw new ImageServerError('INVALID_NAME', 'cannot delete root directory');
    if (!catalogue.hasDirectory(name))
      throw new ImageServerError('DIRECTORY_NOT_FOUND', `unknown directory: ${name}`);
    const notEmpty = () => new ImageServerError('DIRECTORY_NOT_EMPTY', `directory: ${name} is not empty`);
    if (!catalogue.isEmptyDirectory(name) || store.isWritingIn(name)) throw notEmpty();
    const path = store.pathOf(name);
    const group = catalogue.ownerGroup(name) ?? '';
    await writeOwnerGroup(options.disk, path, store.temporaryPath(), '');
    try {
      options.disk.rmdir(path);
    } catch (thrown) {
      // Tombstones and strays are not ours to lose.
      await writeOwnerGroup(options.disk, path, store.temporaryPath(), group);
      throw errno(thrown) === 'ENOTEMPTY' || errno(thrown) === 'EEXIST' ? notEmpty() : thrown;
    }
    await options.disk.syncPath(store.pathOf(parentDirectory(name)));
    catalogue.removeDirectory(name);
    catalogue.emit({ kind: 'rmdir', name });
  });
}
