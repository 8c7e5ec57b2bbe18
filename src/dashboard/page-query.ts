/** Queries of pages that take several fields: names may be any bytes, which URLSearchParams would not let through. */
import { percentDecodeLoosely } from '../http/percent.ts';

/** Fields by name; `+` is a blank, as forms send it. The last one of a name counts. */
export function pageQuery(query: string): ReadonlyMap<string, string> {
  const decode = (text: string) => percentDecodeLoosely(text.replaceAll('+', ' '));
  return new Map(
    query.split('&').map((part) => {
      const equals = part.indexOf('=');
      return equals < 0
        ? [decode(part), '']
        : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))];
    }),
  );
}

/** A place in a list; 0 for what is none. */
export function offsetOf(fields: ReadonlyMap<string, string>): number {
  const text = fields.get('offset') ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}
