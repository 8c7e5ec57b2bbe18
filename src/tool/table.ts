/** All commands. */
import type { Command } from './command.ts';
import { add } from './commands/add.ts';
import { addi } from './commands/addi.ts';
import { changeImageExpiration } from './commands/change-image-expiration.ts';
import { check } from './commands/check.ts';
import { checkDirectory } from './commands/check-directory.ts';
import { chown } from './commands/chown.ts';
import { copy } from './commands/copy.ts';
import { deleteImage } from './commands/delete.ts';
import { delunrefobj } from './commands/delunrefobj.ts';
import { diff } from './commands/diff.ts';
import { estimateUsage } from './commands/estimate-usage.ts';
import { findLatestImage } from './commands/find-latest-image.ts';
import { get } from './commands/get.ts';
import { getFileInImage } from './commands/get-file-in-image.ts';
import { list } from './commands/list.ts';
import { listdirs } from './commands/listdirs.ts';
import { listunrefobj } from './commands/listunrefobj.ts';
import { mkdir } from './commands/mkdir.ts';
import { purge } from './commands/purge.ts';
import { releaseDeletions } from './commands/release-deletions.ts';
import { replicationStatus } from './commands/replication-status.ts';
import { show } from './commands/show.ts';
import { showFilter } from './commands/show-filter.ts';
import { showunrefobj } from './commands/showunrefobj.ts';
import { tar } from './commands/tar.ts';
import { trash } from './commands/trash.ts';
import { undelete } from './commands/undelete.ts';

export const COMMANDS: readonly Command[] = [
  add,
  addi,
  changeImageExpiration,
  check,
  checkDirectory,
  chown,
  copy,
  deleteImage,
  delunrefobj,
  diff,
  estimateUsage,
  findLatestImage,
  get,
  getFileInImage,
  list,
  listdirs,
  listunrefobj,
  mkdir,
  purge,
  releaseDeletions,
  replicationStatus,
  show,
  showFilter,
  showunrefobj,
  tar,
  trash,
  undelete,
];
