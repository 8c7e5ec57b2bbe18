/** Times and durations for people, in the original's spelling. */
import type { GoTime } from '../wire/time.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number) => String(value).padStart(2, '0');

/** `23 Nov 2026 06:25:47 UTC`, or with up to two digits of the second. */
export function dateText(milliseconds: number, withFraction = false): string {
  const date = new Date(milliseconds);
  const hundredths = withFraction ? Math.floor(date.getUTCMilliseconds() / 10) : 0;
  const fraction = hundredths === 0 ? '' : `.${two(hundredths)}`.replace(/0$/, '');
  return `${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}${fraction} UTC`;
}

export function timeText(time: GoTime): string {
  return dateText(Number(time.unixNanos / 1_000_000n), true);
}

/** A whole-millisecond duration as `2h33m9s`, `3m48s`, `300ms`. */
export function durationText(milliseconds: number): string {
  const ms = Math.max(0, Math.round(milliseconds));
  if (ms < 1000) return ms === 0 ? '0s' : `${ms}ms`;
  const seconds = Math.floor(ms / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const parts = [hours > 0 ? `${hours}h` : '', hours > 0 || minutes > 0 ? `${minutes}m` : ''];
  return `${parts.join('')}${seconds % 60}s`;
}

export function percentText(part: number, whole: number): string {
  return `${(whole > 0 ? (100 * part) / whole : 0).toFixed(1)}%`;
}
