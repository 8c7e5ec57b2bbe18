/** Times as Go prints them: `2026-11-24 06:34:46.15792084 +0000 UTC`. */
import { dateOfDays } from '../image/calendar.ts';
import { localZone } from '../image/local-zone.ts';
import { type GoTime, timeFromMillis, ZERO_TIME } from '../wire/time.ts';

const NANOS = 1_000_000_000n;
const DAY = 86_400;
const two = (value: number) => String(value).padStart(2, '0');

function offsetText(seconds: number): string {
  const minutes = Math.floor(Math.abs(seconds) / 60);
  return `${seconds < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`;
}

/** In the zone the time was written with; that zone is named if it is the local one. */
export function timeText({ unixNanos, offset: written }: GoTime): string {
  const offset = written ?? 0;
  const nanos = ((unixNanos % NANOS) + NANOS) % NANOS;
  const seconds = Number((unixNanos - nanos) / NANOS);
  const local = seconds + offset;
  const days = Math.floor(local / DAY);
  const { year, month, day } = dateOfDays(days);
  const second = local - days * DAY;
  const clock = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`;
  const fraction = nanos === 0n ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
  const here = localZone()(seconds);

  const zone = written === undefined ? 'UTC' : here.offset === offset ? here.name : offsetText(offset);
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)} ${clock}${fraction} ${offsetText(offset)} ${zone}`;
}

/** Now and that many nanoseconds, in the local zone; 0 = never. */
export function expiryTime(expiresIn: bigint): GoTime {
  if (expiresIn === 0n) return ZERO_TIME;
  const { unixNanos } = timeFromMillis(Date.now() + Number(expiresIn / 1_000_000n));
  return { unixNanos, offset: localZone()(Number(unixNanos / NANOS)).offset };
}
