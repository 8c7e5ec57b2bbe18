/** Hashes on the command line and in files. */
import { Failure } from './errors.ts';

/** 128 hex digits. Throws INVALID_REQUEST. */
export function hashOf(text: string): string {
  if (/^[0-9a-f]{128}$/i.test(text)) return text.toLowerCase();
  const what = text.length > 128 ? 'filename too long' : 'not 128 hex digits';
  throw new Failure('INVALID_REQUEST', `parsing hash: ${what}: ${text}`);
}
