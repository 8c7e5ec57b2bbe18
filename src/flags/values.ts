/** Values of flags: durations and sizes. */

const DURATION_UNITS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86400e9,
};

/** Go's durations (`1h30m`, `1.5s`), days too; in nanoseconds. Throws an Error with Go's text. */
export function parseDuration(text: string): bigint {
  const bad = () => new Error(`time: invalid duration "${text}"`);
  const sign = text.startsWith('-') ? -1n : 1n;
  const rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0n;
  let total = 0n;
  let consumed = 0;
  for (const match of rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|[smhd])/gy)) {
    total += BigInt(Math.round(Number(match[1]) * (DURATION_UNITS[match[2] as string] as number)));
    consumed += match[0].length;
  }
  if (consumed === 0 || consumed !== rest.length) throw bad();
  return sign * total;
}

/** A duration in Go's notation without fractions below a millisecond when long: `1h30m0s`, `250ms`. */
export function formatDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const value = nanos < 0n ? -nanos : nanos;
  if (value < 1000n) return `${sign}${value}ns`;
  if (value < 1_000_000n) return `${sign}${Number(value) / 1e3}µs`;
  if (value < 1_000_000_000n) return `${sign}${Number(value) / 1e6}ms`;
  const hours = value / 3600_000_000_000n;
  const minutes = (value / 60_000_000_000n) % 60n;
  const seconds = Number(value % 60_000_000_000n) / 1e9;
  return `${sign}${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds}s`;
}

const BINARY = 'KMGTPE';

/** A number of bytes: plain, binary (`10MiB`, `10M`) or decimal (`10MB`). Throws an Error. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMGTPE])(iB|B)?|([k])B|B)?$/.exec(text.trim());
  if (!match) throw new Error(`invalid size "${text}" (examples: 1048576, 10MiB, 10G, 500MB)`);
  const [, digits = '0', unit, suffix, kilo] = match;
  let factor = 1;
  if (kilo) factor = 1000;
  else if (unit) factor = (suffix === 'B' ? 1000 : 1024) ** (BINARY.indexOf(unit) + 1);
  return Math.round(Number(digits) * factor);
}
