/**
 * Time zones with the names that belong to each moment (`CET`, `CEST`), from the system's compiled zone files (RFC 8536).
 * Intl knows the offsets but not those names.
 */

import { dateOfDays, daysOfDate } from './calendar.ts';

/** What applies at a moment: seconds east of UTC and the zone's name. */
interface ZoneMoment {
  readonly offset: number;
  readonly name: string;
}
/** Tells what applies at a moment, given in seconds since 1970. */
export type Zone = (seconds: number) => ZoneMoment;

export const UTC: Zone = () => ({ offset: 0, name: 'UTC' });

const HEADER_BYTES = 44;
const DAY = 86_400;

interface Change {
  /** Seconds after the first moment of a year, in the wall time that applies before the change. */
  readonly second: (year: number) => number;
}

/** A rule such as `M3.2.0/2`, `J60` or `59`: when a change of the clocks comes in a year. */
function parseChange(text: string): Change {
  const [date = '', time = '2'] = text.split('/');
  const match = /^([+-]?)(\d+)(?::(\d+))?(?::(\d+))?$/.exec(time);
  if (!match) throw new Error(`bad time zone rule: ${text}`);
  const seconds =
    (Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0)) *
    (match[1] === '-' ? -1 : 1);
  const byWeek = /^M(\d+)\.(\d+)\.(\d+)$/.exec(date);
  if (byWeek) {
    const [month, week, weekday] = byWeek.slice(1).map(Number) as [number, number, number];
    return {
      second(year) {
        const first = daysOfDate(year, month, 1);
        // 1970-01-01 was a Thursday.
        let day = ((weekday - ((first + 4) % 7) + 7) % 7) + (week - 1) * 7;
        const length = (month === 12 ? daysOfDate(year + 1, 1, 1) : daysOfDate(year, month + 1, 1)) - first;
        while (day >= length) day -= 7;
        return (first - daysOfDate(year, 1, 1) + day) * DAY + seconds;
      },
    };
  }
  const julian = date.startsWith('J');
  const day = Number(julian ? date.slice(1) : date);
  if (!Number.isInteger(day)) throw new Error(`bad time zone rule: ${text}`);
  return {
    second(year) {
      const leap = daysOfDate(year + 1, 1, 1) - daysOfDate(year, 1, 1) === 366;
      const index = julian ? day - 1 + (leap && day >= 60 ? 1 : 0) : day;
      return index * DAY + seconds;
    },
  };
}

/** The rule for all moments after the table, e.g. `CET-1CEST,M3.5.0,M10.5.0/3`. */
function parseRule(text: string): Zone | undefined {
  const name = '(<[^>]+>|[A-Za-z]{3,})';
  const offset = '([+-]?\\d+(?::\\d+){0,2})';
  const match = new RegExp(`^${name}${offset}(?:${name}${offset}?(?:,([^,]+),([^,]+))?)?$`).exec(text);
  if (!match) return undefined;
  const plain = (quoted: string) => quoted.replace(/[<>]/g, '');
  const west = (value: string) => {
    const [hours = 0, minutes = 0, seconds = 0] = value.replace(/^[+-]/, '').split(':').map(Number);
    return (hours * 3600 + minutes * 60 + seconds) * (value.startsWith('-') ? 1 : -1);
  };
  const standard: ZoneMoment = { name: plain(match[1] as string), offset: west(match[2] as string) };
  if (match[3] === undefined) return () => standard;
  const summer: ZoneMoment = {
    name: plain(match[3]),
    offset: match[4] === undefined ? standard.offset + 3600 : west(match[4]),
  };
  const begin = parseChange(match[5] ?? 'M3.2.0');
  const end = parseChange(match[6] ?? 'M11.1.0');
  return (seconds) => {
    const { year } = dateOfDays(Math.floor((seconds + standard.offset) / DAY));
    const start = daysOfDate(year, 1, 1) * DAY;
    const from = start + begin.second(year) - standard.offset;
    const to = start + end.second(year) - summer.offset;
    const inside = from < to ? seconds >= from && seconds < to : seconds < to || seconds >= from;
    return inside ? summer : standard;
  };
}

/** Reads a compiled zone file. Throws an Error if it is none. */
export function parseZone(bytes: Uint8Array): Zone {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('latin1');
  if (bytes.length < HEADER_BYTES || text(0, 4) !== 'TZif') throw new Error('not a time zone file');
  const counts = (at: number) => Array.from({ length: 6 }, (_, index) => view.getUint32(at + 20 + index * 4));
  const bodyLength = (at: number, width: number) => {
    const [utc = 0, standard = 0, leaps = 0, times = 0, types = 0, chars = 0] = counts(at);
    return times * (width + 1) + types * 6 + chars + leaps * (width + 4) + standard + utc;
  };
  const version2 = (bytes[4] as number) >= 0x32;
  const width = version2 ? 8 : 4;
  const head = version2 ? HEADER_BYTES + bodyLength(0, 4) : 0;
  const [, , , times = 0, types = 0, chars = 0] = counts(head);
  const start = head + HEADER_BYTES;
  const changes = Array.from({ length: times }, (_, index) =>
    version2 ? Number(view.getBigInt64(start + index * 8)) : view.getInt32(start + index * 4),
  );
  const typeAt = (index: number) => bytes[start + times * width + index] as number;
  const typesAt = start + times * (width + 1);
  const namesAt = typesAt + types * 6;
  const moments = Array.from({ length: types }, (_, index): ZoneMoment & { summer: boolean } => {
    const at = typesAt + index * 6;
    const nameAt = namesAt + (bytes[at + 5] as number);
    return {
      offset: view.getInt32(at),
      summer: bytes[at + 4] !== 0,
      name: text(nameAt, Math.min(bytes.indexOf(0, nameAt), namesAt + chars)),
    };
  });
  const first = moments.find((one) => !one.summer) ?? moments[0];
  if (!first) throw new Error('time zone file without types');
  const end = head + HEADER_BYTES + bodyLength(head, width);
  const footer = version2 ? text(end + 1, bytes.indexOf(10, end + 1)) : '';
  const rule = footer === '' ? undefined : parseRule(footer);
  return (seconds) => {
    if (times === 0) return rule?.(seconds) ?? first;
    if (seconds < (changes[0] as number)) return first;
    let low = 0;
    let high = times;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((changes[middle] as number) <= seconds) low = middle;
      else high = middle;
    }
    if (low === times - 1 && rule) return rule(seconds);
    return moments[typeAt(low)] ?? first;
  };
}
