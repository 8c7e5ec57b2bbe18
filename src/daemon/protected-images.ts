/**
 * Images that users may not delete (-protectedImages): a filter in a file, which is read again whenever somebody deletes,
 * so that an operator's change counts at once.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ImageServerError } from '../errors.ts';
import { compileFilter, type PathFilter, parseFilter } from '../image/filter.ts';

const compile = (text: string): PathFilter => compileFilter(parseFilter(text).FilterLines);

/** Undefined if there is no such file; throws INVALID_REQUEST if what it names cannot be used. */
export function protectedImages(
  file: string,
  log: (line: string) => void,
): ((name: string) => Promise<boolean>) | undefined {
  if (file === '') return undefined;
  let known: { readonly text: string; readonly filter: PathFilter };
  try {
    const text = readFileSync(file, 'utf8');
    known = { text, filter: compile(text) };
  } catch (cause) {
    throw new ImageServerError('INVALID_REQUEST', `-protectedImages: ${(cause as Error).message}`, { cause });
  }
  return async (name) => {
    try {
      const text = await readFile(file, 'utf8');
      if (text !== known.text) known = { text, filter: compile(text) };
    } catch (cause) {
      // In doubt, no.
      log(`-protectedImages: no image can be deleted: ${(cause as Error).message}`);
      throw new ImageServerError(
        'UNAVAILABLE',
        'the list of protected images cannot be read, so nothing is deleted: see the log of the server',
        { cause },
      );
    }
    return known.filter(name);
  };
}
