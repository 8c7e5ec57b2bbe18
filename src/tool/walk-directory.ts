/** What is in a directory of this machine, path by path. */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { decodeText } from '../wire/text.ts';

export interface FoundFile {
  /** Below the directory; begins with a slash. */
  readonly path: string;
  /** Where it is. */
  readonly real: Buffer;
  readonly stat: BigIntStats;
}

/** On a running machine files come and go: a directory that has gone has nothing in it. */
function namesIn(directory: Buffer, mayBeGone: boolean): Buffer[] {
  try {
    return readdirSync(directory, { encoding: 'buffer' });
  } catch (error) {
    if (mayBeGone && (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Depth first, names in the order of their bytes; without what `skip` says and all below it. */
export function* walkDirectory(
  directory: Buffer,
  skip: (file: FoundFile) => boolean = () => false,
  path = '',
): Generator<FoundFile> {
  for (const name of namesIn(directory, path !== '').sort(Buffer.compare)) {
    const real = Buffer.concat([directory, Buffer.from('/'), name]);
    const stat = lstatSync(real, { bigint: true, throwIfNoEntry: false });
    if (!stat) continue;
    const file: FoundFile = { path: `${path}/${decodeText(name)}`, real, stat };
    if (skip(file)) continue;
    yield file;
    if (stat.isDirectory()) yield* walkDirectory(real, skip, file.path);
  }
}
