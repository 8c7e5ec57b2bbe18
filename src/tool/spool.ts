/** Big contents that come once, such as through a pipe. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSha512 } from '../sha512.ts';
import type { Context } from './command.ts';
import { type Content, rangeContent } from './content.ts';

/** SHA-512 of what comes, hex; each piece goes to `sink`, too. */
export async function hashPieces(
  pieces: AsyncIterable<Uint8Array>,
  sink?: (piece: Uint8Array) => void,
): Promise<string> {
  const hasher = makeSha512();
  for await (const piece of pieces) {
    hasher.update(piece);
    sink?.(piece);
  }
  return hasher.digest().toString('hex');
}

/** Puts a content into a temporary file for the time of `use`, so that it is only sent if the server lacks it. */
export async function spoolContent(
  context: Context,
  pieces: AsyncIterable<Uint8Array>,
  size: number,
  use: (content: Content) => Promise<void>,
): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'imagetool-'));
  const remove = context.cleanUp(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'object');
  const fd = openSync(file, 'wx+', 0o600);
  try {
    const hash = await hashPieces(pieces, (piece) => {
      for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at);
    });
    await use(rangeContent(fd, file, 0, size, hash));
    return hash;
  } finally {
    closeSync(fd);
    remove();
  }
}
