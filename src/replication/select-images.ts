/** Which images are replicated: an include filter and an exclude filter, both files of Go regular expressions. */
import { compileFilter } from '../image/filter.ts';

/**
 * `include` undefined = all, `exclude` undefined = none. Expressions are matched from the beginning of the image's
 * name; a line `!` inverts a filter. Throws INVALID_REQUEST with the expression that is wrong.
 */
export function selectImages(
  include: readonly string[] | undefined,
  exclude: readonly string[] | undefined,
): (name: string) => boolean {
  const included = include && compileFilter(include);
  const excluded = exclude && compileFilter(exclude);
  return (name) => (included?.(name) ?? true) && !excluded?.(name);
}
