/** Who owns what: the checks for callers whose certificate does not grant the method itself. */
import { ImageServerError } from '../errors.ts';
import { parentDirectory } from '../image/paths.ts';
import type { ImageEntry } from '../store/types.ts';
import type { Identity } from './identity.ts';

interface Caller {
  readonly identity: Identity;
  readonly methodAccess: boolean;
}
interface Directories {
  hasDirectory(name: string): boolean;
  ownerGroup(directory: string): string | undefined;
  get(name: string): ImageEntry | undefined;
}

function noMetadata(directory: string): ImageServerError {
  return new ImageServerError('DIRECTORY_NOT_FOUND', `no metadata for: "${directory}"`);
}
const noAccess = () => new ImageServerError('ACCESS_DENIED', 'no access to image');

function owns(caller: Caller, group: string | undefined): boolean {
  return !!group && caller.identity.groups.has(group);
}

/** Throws unless the caller may add, change or delete this image. Only the immediate directory counts. */
export function checkImageOwnership(caller: Caller, images: Directories, name: string): void {
  if (caller.methodAccess) return;
  const { user, groups } = caller.identity;
  const entry = images.get(name);
  if (entry && user !== '') {
    if (entry.createdBy === user || entry.createdFor === user || entry.ownerUsers.includes(user)) return;
    if (entry.ownerGroups.some((group) => groups.has(group))) return;
  }
  const directory = parentDirectory(name);
  if (!images.hasDirectory(directory)) throw noMetadata(directory);
  if (!owns(caller, images.ownerGroup(directory))) throw noAccess();
}

/** Throws unless the caller may make a directory inside `parent`. */
export function checkMakeDirectory(caller: Caller, images: Directories, parent: string): void {
  if (caller.methodAccess) return;
  const group = images.ownerGroup(parent);
  if (!group) throw noAccess();
  if (!owns(caller, group)) throw new ImageServerError('ACCESS_DENIED', `no membership of ${group} group`);
}

/** Throws unless the caller may give `directory` to `group`. */
export function checkChown(caller: Caller, images: Directories, directory: string, group: string): void {
  if (!images.hasDirectory(directory)) throw noMetadata(directory);
  if (caller.methodAccess) return;
  if (directory !== '.' && owns(caller, images.ownerGroup(parentDirectory(directory)))) return;
  if (!caller.identity.groups.has(group))
    throw new ImageServerError('ACCESS_DENIED', `no membership of ${group} group`);
  if (!owns(caller, images.ownerGroup(directory))) throw noAccess();
}
