/** Times as JSON has them: RFC 3339 with as many digits of the second as needed. */
import type { GoTime } from './time.ts';

const NANOS = 1_000_000_000n;
/** RFC 3339 has four digits for the year: what lies outside is shown as the nearest time inside. */
const LEAST = -62167219200n * NANOS;
const MOST = 253402300800n * NANOS - 1n;

/** E.g. `2031-02-03T04:05:06.7+01:30`; `0001-01-01T00:00:00Z` for the zero time. */
export function formatTime({ unixNanos, offset }: GoTime): string {
  let shifted = unixNanos + BigInt(offset ?? 0) * NANOS;
  if (shifted < LEAST) shifted = LEAST;
  if (shifted > MOST) shifted = MOST;
  let seconds = shifted / NANOS;
  let nanos = shifted % NANOS;
  if (nanos < 0n) {
    seconds -= 1n;
    nanos += NANOS;
  }
  const base = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = nanos === 0n ? '' : `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`;
  if (!offset) return `${base}${fraction}Z`;
  const minutes = Math.abs(Math.trunc(offset / 60));
  const zone = `${String(Math.trunc(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
  return `${base}${fraction}${offset < 0 ? '-' : '+'}${zone}`;
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:(Z)|([+-])(\d\d):(\d\d))$/;

/** Reads RFC 3339; undefined if it is not. Digits beyond nanoseconds are dropped. */
export function parseTime(value: string): GoTime | undefined {
  const match = RFC3339.exec(value);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (
    date.getUTCMonth() !== month - 1 ||
    date.getUTCDate() !== day ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  )
    return undefined;
  date.setUTCHours(hour, minute, second);
  const utc = match[8] !== undefined;
  const [hours, minutes] = utc ? [0, 0] : [Number(match[10]), Number(match[11])];
  if (hours > 24 || minutes > 59) return undefined;
  const offset = (match[9] === '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  const seconds = BigInt(date.getTime() / 1000) - BigInt(offset);
  const nanos = BigInt((match[7] ?? '').slice(0, 9).padEnd(9, '0'));
  return { unixNanos: seconds * NANOS + nanos, offset: utc ? undefined : offset };
}
