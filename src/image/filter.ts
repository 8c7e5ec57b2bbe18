/** Filters: Go regular expressions, anchored at the start; a line `!` inverts. */
import { RE2JS } from 're2js';
import { ImageServerError } from '../errors.ts';
import type { Filter } from '../wire/messages/image.ts';

/** True for paths that are filtered out. */
export type PathFilter = (path: string) => boolean;

/** Compiles an expression that must match at the start of a path. Throws INVALID_REQUEST with the text of Go's compiler. */
export function compileAnchored(line: string): RE2JS {
  try {
    return RE2JS.compile(`^${line}`);
  } catch (cause) {
    throw new ImageServerError('INVALID_REQUEST', (cause as Error).message, { cause });
  }
}

/** Compiles lines. Throws INVALID_REQUEST with the expression that is wrong. */
export function compileFilter(lines: readonly string[]): PathFilter {
  let inverted = false;
  const patterns: RE2JS[] = [];
  for (const line of lines) {
    if (line === '!') inverted = true;
    else patterns.push(compileAnchored(line));
  }
  return (path) => patterns.some((pattern) => pattern.matcher(path).find()) !== inverted;
}

/** A filter file's lines: empty ones and comments dropped. */
export function parseFilter(text: string): Filter {
  return { FilterLines: text.split('\n').filter((line) => line !== '' && !line.startsWith('#')) };
}

/** The union of the lines of filters, in the order of their bytes. */
export function mergeFilters(filters: readonly Filter[]): Filter {
  const lines = new Set(filters.flatMap((filter) => filter.FilterLines));
  return { FilterLines: [...lines].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) };
}
