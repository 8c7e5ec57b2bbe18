/** Go's filepath.Match: `*` and `?` stop at `/`, classes negate with `^` only, the whole name must match. */

/** Thrown inside for a malformed pattern. */
class BadPattern extends Error {}

interface Token {
  readonly kind: 'star' | 'any' | 'char' | 'class';
  readonly char: string;
  readonly negated: boolean;
  readonly ranges: readonly (readonly [string, string])[];
}

function tokens(pattern: string): Token[] {
  const points = [...pattern];
  const list: Token[] = [];
  let at = 0;
  const literal = (): string => {
    const char = points[at++];
    if (char === undefined || char === '-' || char === ']') throw new BadPattern();
    if (char !== '\\') return char;
    const escaped = points[at++];
    if (escaped === undefined) throw new BadPattern();
    return escaped;
  };
  while (at < points.length) {
    const char = points[at] as string;
    if (char === '*') {
      at++;
      list.push({ kind: 'star', char, negated: false, ranges: [] });
    } else if (char === '?') {
      at++;
      list.push({ kind: 'any', char, negated: false, ranges: [] });
    } else if (char === '[') {
      at++;
      const negated = points[at] === '^';
      if (negated) at++;
      const ranges: [string, string][] = [];
      while (points[at] !== ']' || ranges.length === 0) {
        const low = literal();
        let high = low;
        if (points[at] === '-') {
          at++;
          high = literal();
        }
        ranges.push([low, high]);
        if (at >= points.length) throw new BadPattern();
      }
      at++;
      list.push({ kind: 'class', char, negated, ranges });
    } else if (char === '\\') {
      const escaped = points[at + 1];
      if (escaped === undefined) throw new BadPattern();
      at += 2;
      list.push({ kind: 'char', char: escaped, negated: false, ranges: [] });
    } else {
      at++;
      list.push({ kind: 'char', char, negated: false, ranges: [] });
    }
  }
  return list;
}

function matches(token: Token, char: string): boolean {
  if (token.kind === 'char') return token.char === char;
  if (token.kind === 'any') return char !== '/';
  const code = char.codePointAt(0) as number;
  const inside = token.ranges.some(
    ([low, high]) => (low.codePointAt(0) as number) <= code && code <= (high.codePointAt(0) as number),
  );
  return inside !== token.negated;
}

/** A matcher for a pattern; a malformed one matches nothing. */
export function compileGlob(pattern: string): (name: string) => boolean {
  let list: Token[];
  try {
    list = tokens(pattern);
  } catch (error) {
    if (error instanceof BadPattern) return () => false;
    throw error;
  }
  return (name) => {
    const chars = [...name];
    // Positions in the pattern that are alive; stars add the next one without consuming.
    let alive = new Set<number>([0]);
    const spread = (set: Set<number>) => {
      for (const position of set) if (list[position]?.kind === 'star') set.add(position + 1);
      return set;
    };
    spread(alive);
    for (const char of chars) {
      const next = new Set<number>();
      for (const position of alive) {
        const token = list[position];
        if (!token) continue;
        if (token.kind === 'star') {
          if (char !== '/') next.add(position);
        } else if (matches(token, char)) next.add(position + 1);
      }
      if (next.size === 0) return false;
      alive = spread(next);
    }
    return alive.has(list.length);
  };
}

/** Whether the whole name matches; malformed patterns match nothing. */
export function matchGlob(pattern: string, name: string): boolean {
  return compileGlob(pattern)(name);
}
