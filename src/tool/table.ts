/** All commands. */
import type { Command } from './command.ts';
import { add } from './commands/add.ts';
import { addi } from './commands/addi.ts';
import { addrep } from './commands/addrep.ts';
import { adds } from './commands/adds.ts';
import { bulkAddrep } from './commands/bulk-addrep.ts';
import { changeImageExpiration } from './commands/change-image-expiration.ts';
import { check } from './commands/check.ts';
import { checkDirectory } from './commands/check-directory.ts';
import { chown } from './commands/chown.ts';
import { copy } from './commands/copy.ts';
import { copyFilteredFiles } from './commands/copy-filtered-files.ts';
import { deleteImage } from './commands/delete.ts';
import { delunrefobj } from './commands/delunrefobj.ts';
import { diff } from './commands/diff.ts';
import { estimateUsage } from './commands/estimate-usage.ts';
import { findLatestImage } from './commands/find-latest-image.ts';
import { get } from './commands/get.ts';
import { getArchiveData } from './commands/get-archive-data.ts';
import { getBuildLog } from './commands/get-build-log.ts';
import { getFileInImage } from './commands/get-file-in-image.ts';
import { getImageExpiration } from './commands/get-image-expiration.ts';
import { getPackageList } from './commands/get-package-list.ts';
import { list } from './commands/list.ts';
import { listdirs } from './commands/listdirs.ts';
import { listunrefobj } from './commands/listunrefobj.ts';
import { matchTriggers } from './commands/match-triggers.ts';
import { mergeFilters } from './commands/merge-filters.ts';
import { mergeTriggers } from './commands/merge-triggers.ts';
import { mkdir } from './commands/mkdir.ts';
import { patchDirectory } from './commands/patch-directory.ts';
import { purge } from './commands/purge.ts';
import { releaseDeletions } from './commands/release-deletions.ts';
import { replicationStatus } from './commands/replication-status.ts';
import { scanFilteredFiles } from './commands/scan-filtered-files.ts';
import { show } from './commands/show.ts';
import { showFilter } from './commands/show-filter.ts';
import { showMetadata } from './commands/show-metadata.ts';
import { showTriggers } from './commands/show-triggers.ts';
import { showunrefobj } from './commands/showunrefobj.ts';
import { tar } from './commands/tar.ts';
import { testDownloadSpeed } from './commands/test-download-speed.ts';
import { trash } from './commands/trash.ts';
import { undelete } from './commands/undelete.ts';
import { wait } from './commands/wait.ts';

export const COMMANDS: readonly Command[] = [
  add,
  addi,
  addrep,
  adds,
  bulkAddrep,
  changeImageExpiration,
  checkDirectory,
  check,
  chown,
  copy,
  copyFilteredFiles,
  deleteImage,
  delunrefobj,
  diff,
  estimateUsage,
  findLatestImage,
  getArchiveData,
  getBuildLog,
  getFileInImage,
  getImageExpiration,
  getPackageList,
  get,
  list,
  listdirs,
  listunrefobj,
  matchTriggers,
  mergeFilters,
  mergeTriggers,
  mkdir,
  patchDirectory,
  purge,
  releaseDeletions,
  replicationStatus,
  scanFilteredFiles,
  showFilter,
  showMetadata,
  showTriggers,
  show,
  showunrefobj,
  tar,
  testDownloadSpeed,
  trash,
  undelete,
  wait,
];
