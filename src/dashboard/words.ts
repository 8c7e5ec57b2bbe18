/** Times and durations for people, in the original's spelling. */
import { Html } from '@elysiajs/html';
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

/** Controls, marks that turn the direction of text around, bytes that are not UTF-8. */
const UNSEEN = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;

/** A name in which everything can be seen: what would hide or reorder the rest of it is spelled out. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (char) => {
    const code = char.charCodeAt(0);
    // Bytes that are not UTF-8 stand in our texts as U+DC80 to U+DCFF.
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals' colours begin with one
const COLOUR = /\u001b\[[0-9;]*[A-Za-z]/g;

/** A value of an attribute; JSX itself would leave `&` as it is. */
export function attribute(text: string): string {
  return Html.escapeHtml(text);
}

/** A line of a log or listing: as `visible`, with tabs, and without what only terminals understand. */
export function visibleLine(line: string): string {
  return line.replace(COLOUR, '').replace(/\r$/, '').split('\t').map(visible).join('\t');
}
