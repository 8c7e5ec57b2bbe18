/** Small text files that command lines name: filters, triggers, lists. */
import { readFileSync } from 'node:fs';

/** The whole of a file. A failure names the file, also where the system only says that it is a directory. */
export function readTextFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    failure.path ??= file;
    throw failure;
  }
}
