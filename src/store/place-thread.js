/**
 * The thread that renames many files into place, see rename-many.ts. One message is one group: pairs of paths. Answered
 * with how many are in place, which needed directories, and the error that ended it.
 */
import { mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';

/** One level; what exists already will do. */
function makeDirectory(path, mode) {
  try {
    mkdirSync(path, { mode });
  } catch (thrown) {
    if (thrown.code !== 'EEXIST') throw thrown;
  }
}

/** The directory that `to` is in, and the one above. */
function makeDirectories(to, mode) {
  const leaf = dirname(to);
  try {
    makeDirectory(leaf, mode);
  } catch (thrown) {
    if (thrown.code !== 'ENOENT') throw thrown;
    makeDirectory(dirname(leaf), mode);
    makeDirectory(leaf, mode);
  }
}

self.onmessage = ({ data: { id, moves, mode } }) => {
  const made = [];
  let placed = 0;
  try {
    for (const [from, to] of moves) {
      try {
        renameSync(from, to);
      } catch (thrown) {
        if (thrown.code !== 'ENOENT') throw thrown;
        makeDirectories(to, mode);
        made.push(placed);
        renameSync(from, to);
      }
      placed++;
    }
    postMessage({ id, placed, made });
  } catch (thrown) {
    const { code, syscall, path, message } = thrown;
    postMessage({ id, placed, made, failure: { code, syscall, path, message } });
  }
};
