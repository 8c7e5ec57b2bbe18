import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { dateOfDays, daysOfDate } from './calendar.ts';
import { timePrinter } from './listing.ts';
import { localZone, zoneByName } from './local-zone.ts';
import { UTC, type Zone } from './zone.ts';

describe('calendar', () => {
  test('agrees with JavaScript where that reaches', () => {
    for (let day = -1_000_000; day < 1_000_000; day += 997) {
      const date = new Date(day * 86_400_000);
      const expected = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
      expect(dateOfDays(day)).toEqual(expected);
      expect(daysOfDate(expected.year, expected.month, expected.day)).toBe(day);
    }
  });
  test('years of any length', () => {
    const print = timePrinter(UTC);
    expect(print(-1n)).toBe('31 Dec 1969 23:59:59 UTC');
    expect(print(-62_135_596_801n)).toBe('31 Dec 0000 23:59:59 UTC');
    expect(print(1_000_000_000_000_000n)).toBe('05 Jul 31690708 01:46:40 UTC');
  });
});

// What `date -d @SECONDS '+%d %b %Y %H:%M:%S %Z'` says.
const CASES: readonly [string, bigint, string][] = [
  ['Europe/Berlin', 1_706_933_106n, '03 Feb 2024 05:05:06 CET'],
  ['Europe/Berlin', 1_720_000_000n, '03 Jul 2024 11:46:40 CEST'],
  ['Europe/Berlin', 4_086_000_000n, '24 Jun 2099 18:00:00 CEST'],
  ['Europe/Berlin', -3_000_000_000n, '07 Dec 1874 19:33:28 LMT'],
  ['Australia/Sydney', 4_102_444_800n, '01 Jan 2100 11:00:00 AEDT'],
  ['America/Sao_Paulo', 1_706_933_106n, '03 Feb 2024 01:05:06 -03'],
  ['Asia/Kolkata', 0n, '01 Jan 1970 05:30:00 IST'],
  ['America/New_York', 1_710_054_000n, '10 Mar 2024 03:00:00 EDT'],
];

describe.skipIf(!existsSync('/usr/share/zoneinfo/Europe/Berlin'))('zones', () => {
  for (const [name, seconds, text] of CASES)
    test(`${name} ${seconds}`, () => expect(timePrinter(zoneByName(name) as Zone)(seconds)).toBe(text));
  test('the setting', () => {
    expect(localZone('')(0).name).toBe('UTC');
    expect(localZone(':Europe/Berlin')(0)).toMatchObject({ offset: 3600, name: 'CET' });
    expect(localZone('/usr/share/zoneinfo/Europe/Berlin')(0).name).toBe('CET');
    expect(localZone('No/Such')(0).name).toBe('UTC');
    expect(zoneByName('../../../etc/passwd')).toBeUndefined();
  });
});
