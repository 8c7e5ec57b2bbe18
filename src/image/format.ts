/** Sizes for people. */

/** The largest unit in which the whole number is above 100: `652 KiB`, `67314 B`. */
export function formatBytes(bytes: number | bigint): string {
  let value = BigInt(bytes);
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value >> 10n <= 100n) return `${value} ${unit}`;
    value >>= 10n;
  }
  return `${value} TiB`;
}
