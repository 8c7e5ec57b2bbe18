/** Which deleted image somebody means. */
import { ImageServerError } from '../errors.ts';
import type { ImageStore, TrashEntry } from '../store/types.ts';

/** By id, or the last deleted one of that name. Throws IMAGE_NOT_FOUND. */
export function findInTrash(images: ImageStore, name: string, id: string): TrashEntry {
  let found: TrashEntry | undefined;
  for (const entry of images.trash()) {
    if (id && entry.id !== id) continue;
    if (name && entry.name !== name) continue;
    if (!id && !name) continue;
    if (!found || entry.deletedAt >= found.deletedAt) found = entry;
  }
  if (!found) throw new ImageServerError('IMAGE_NOT_FOUND', `not in the trash: ${name || id}`);
  return found;
}
