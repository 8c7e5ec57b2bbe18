/** All methods. Every transport, the documentation, the metrics and the permission check are driven by this table. */
import { addImage, addImageTrusted } from './add-image.ts';
import { addObjects } from './add-objects.ts';
import { changeImageExpiration } from './change-image-expiration.ts';
import { checkDirectory } from './check-directory.ts';
import { checkImage } from './check-image.ts';
import { checkObjects } from './check-objects.ts';
import { chownDirectory } from './chown-directory.ts';
import { deleteImage } from './delete-image.ts';
import { deleteUnreferencedObjects } from './delete-unreferenced-objects.ts';
import { findLatestImage } from './find-latest-image.ts';
import { getImage } from './get-image.ts';
import { getImageExpiration } from './get-image-expiration.ts';
import { getImageUpdates } from './get-image-updates.ts';
import { getObjects } from './get-objects.ts';
import { getReplicationStatus } from './get-replication-status.ts';
import { listDirectories } from './list-directories.ts';
import { listImageIdentities } from './list-image-identities.ts';
import { listImages } from './list-images.ts';
import { listTrash } from './list-trash.ts';
import { listUnreferencedObjects } from './list-unreferenced-objects.ts';
import { logDebug } from './log-debug.ts';
import { logPrint } from './log-print.ts';
import { logWatch } from './log-watch.ts';
import { makeDirectory } from './make-directory.ts';
import type { Method } from './method.ts';
import { previewDeleteUnreferencedObjects } from './preview-delete-unreferenced-objects.ts';
import { purgeTrash } from './purge-trash.ts';
import { releaseHeldDeletions } from './release-held-deletions.ts';
import { setDebugLevel } from './set-debug-level.ts';
import { testBandwidth } from './test-bandwidth.ts';
import { undeleteImage } from './undelete-image.ts';

const all: readonly Method[] = [
  addImage,
  addImageTrusted,
  changeImageExpiration,
  checkDirectory,
  checkImage,
  chownDirectory,
  deleteImage,
  deleteUnreferencedObjects,
  findLatestImage,
  getImage,
  getImageExpiration,
  getImageUpdates,
  listDirectories,
  listImages,
  listUnreferencedObjects,
  makeDirectory,
  getReplicationStatus,
  listImageIdentities,
  listTrash,
  previewDeleteUnreferencedObjects,
  purgeTrash,
  releaseHeldDeletions,
  undeleteImage,
  logDebug,
  logPrint,
  logWatch,
  setDebugLevel,
  addObjects,
  checkObjects,
  getObjects,
  testBandwidth,
];

/** By `Service.Method`, sorted. */
export const methods: ReadonlyMap<string, Method> = new Map(
  all.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((method) => [method.name, method]),
);
