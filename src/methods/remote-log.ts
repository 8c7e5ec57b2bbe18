/** What the methods of the Logger service share. */
import { ImageServerError } from '../errors.ts';

/** Longest text that a caller may put into the log, bytes: a line is kept in memory and given to every listener. */
const MAX_TEXT = 16 * 1024;

/** There is one log, whose name is empty. */
export function checkLogger(name: string): void {
  if (name !== '') throw new ImageServerError('INVALID_REQUEST', `unknown logger: ${name}`);
}

/** The words of a caller as one text. Throws TOO_LARGE. */
export function logText(words: readonly string[]): string {
  const text = words.join(' ');
  if (Buffer.byteLength(text) > MAX_TEXT)
    throw new ImageServerError('TOO_LARGE', `log text is longer than ${MAX_TEXT} bytes`);
  return text;
}
