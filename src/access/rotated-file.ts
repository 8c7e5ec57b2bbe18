/** A file that lines go to: appended, renamed away when it is large, a few old ones kept. */
import { open, rename } from 'node:fs/promises';

export interface RotatedFileOptions {
  readonly path: string;
  /** Bytes at which the file becomes `.1`, and so on. */
  readonly maxBytes?: number;
  /** Old files kept. */
  readonly keep?: number;
}

const MAX_BYTES = 64 * 1024 * 1024;
const KEEP = 9;

async function shift(path: string, keep: number): Promise<void> {
  for (let number = keep; number > 0; number--) {
    const from = number === 1 ? path : `${path}.${number - 1}`;
    await rename(from, `${path}.${number}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

/**
 * What writes lines to the file, one call at a time. The file is opened anew for each batch: somebody may have renamed or
 * removed it, and a full disk may have room again.
 */
export function rotatedFile(options: RotatedFileOptions): (lines: string) => Promise<void> {
  const { path, maxBytes = MAX_BYTES, keep = KEEP } = options;
  return async (lines) => {
    const file = await open(path, 'a', 0o640);
    let size: number;
    try {
      await file.appendFile(lines);
      ({ size } = await file.stat());
    } finally {
      await file.close();
    }
    if (size >= maxBytes) await shift(path, keep);
  };
}
