/** Sizes and durations for people, as the original prints them. */

/** The largest unit in which the whole number is above 100: `652 KiB`, `67314 B`. */
export function formatBytes(bytes: number | bigint): string {
  let value = BigInt(bytes);
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value >> 10n <= 100n) return `${value} ${unit}`;
    value >>= 10n;
  }
  return `${value} TiB`;
}

/** C's `%.3g`: three significant digits, no trailing zeros. */
function threeDigits(value: number): string {
  const [digits = '', exponent] = value.toPrecision(3).split('e');
  const short = digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
  if (exponent === undefined) return short;
  return `${short}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

const SECOND = 1_000_000_000n;

/** Whole seconds as `1h59m59s`. */
function clock(seconds: bigint): string {
  const hours = seconds / 3600n;
  const minutes = (seconds / 60n) % 60n;
  return `${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds % 60n}s`;
}

/** Nanoseconds: three digits with a unit below a minute (`1.93ms`), then `1h59m59s`, then `2d3h4m5s`. */
export function formatSpan(nanos: bigint): string {
  const value = Number(nanos);
  if (value < 1e3) return `${nanos}ns`;
  if (value < 1e6) return `${threeDigits(value / 1e3)}µs`;
  if (value < 1e9) return `${threeDigits(value / 1e6)}ms`;
  if (nanos < 60n * SECOND) return `${threeDigits(value / 1e9)}s`;
  const seconds = nanos / SECOND;
  const days = seconds / 86_400n;
  return days > 0n ? `${days}d${clock(seconds % 86_400n)}` : clock(seconds);
}
