/** Tells when one of a few files changed, however it was replaced. */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

/** Changes of several files that belong together arrive in one go. */
const SETTLE_MS = 200;
/** For file systems and mounts that tell nothing. */
const POLL_MS = 30_000;

function fingerprint(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stats ? `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}` : '-';
    })
    .join(' ');
}

/**
 * Calls `changed` after a change of any of the files; returns what stops it. Directories are watched, so that files
 * replaced by rename and links pointed elsewhere are noticed.
 */
export function watchFiles(paths: readonly string[], changed: () => void): () => void {
  let seen = fingerprint(paths);
  let settling: NodeJS.Timeout | undefined;
  const look = () => {
    settling = undefined;
    const now = safely(paths);
    if (now === undefined || now === seen) return;
    seen = now;
    changed();
  };
  const stir = () => {
    settling ??= setTimeout(look, SETTLE_MS);
  };
  const watchers: FSWatcher[] = [];
  for (const directory of new Set(paths.map((path) => dirname(path)))) {
    try {
      const watcher = watch(directory, { persistent: false }, stir);
      // A directory that goes away is left to polling.
      watcher.on('error', () => watcher.close());
      watchers.push(watcher);
    } catch {
      // Not there or no watches left: polling remains.
    }
  }
  const poll = setInterval(look, POLL_MS);
  poll.unref();
  return () => {
    clearInterval(poll);
    clearTimeout(settling);
    for (const watcher of watchers) watcher.close();
  };
}

/** A file that cannot be looked at just now has not changed. */
function safely(paths: readonly string[]): string | undefined {
  try {
    return fingerprint(paths);
  } catch {
    return undefined;
  }
}
