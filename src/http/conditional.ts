/** Conditional and range requests (RFC 9110, 13 and 14) for representations with a strong ETag. */

export interface Selected {
  readonly status: 200 | 206 | 304 | 412 | 416;
  /** First byte and the one after the last, for 200 and 206. */
  readonly start: number;
  readonly end: number;
}

/** True if a list of entity tags contains `etag` or is `*`; weak tags match only where weak comparison is meant. */
function listMatches(list: string, etag: string, weak: boolean): boolean {
  if (list.trim() === '*') return true;
  return (list.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) =>
    tag.startsWith('W/') ? weak && tag.slice(2) === etag : tag === etag,
  );
}

/**
 * One range of bytes out of `size`. Undefined if the header is to be ignored: another unit, a syntax error, or more
 * than one range (a server may ignore what it does not offer, and the client then gets everything). 'none' if it lies
 * outside.
 */
function parseRange(header: string, size: number): { start: number; end: number } | 'none' | undefined {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header);
  if (!match) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return undefined;
    const length = Number(last);
    return length === 0 || size === 0 ? 'none' : { start: Math.max(0, size - length), end: size };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= size) return 'none';
  return { start, end: last === '' ? size : Math.min(size, Number(last) + 1) };
}

/**
 * What a GET answers. `size` undefined: no ranges are offered. Dates are not looked at: without a Last-Modified nobody
 * can have one.
 */
export function select(headers: Headers, etag: string, size: number | undefined): Selected {
  const all = { status: 200, start: 0, end: size ?? 0 } as const;
  const ifMatch = headers.get('if-match');
  if (ifMatch !== null && !listMatches(ifMatch, etag, false)) return { ...all, status: 412 };
  const ifNoneMatch = headers.get('if-none-match');
  if (ifNoneMatch !== null && listMatches(ifNoneMatch, etag, true)) return { ...all, status: 304 };
  const range = headers.get('range');
  if (range === null || size === undefined) return all;
  const ifRange = headers.get('if-range');
  if (ifRange !== null && ifRange.trim() !== etag) return all;
  const wanted = parseRange(range, size);
  if (wanted === undefined) return all;
  if (wanted === 'none') return { ...all, status: 416 };
  return { status: 206, ...wanted };
}
