/** Go's time.Time: an instant with nanoseconds and the zone offset it was written with. */

export interface GoTime {
  /** Nanoseconds since 1970-01-01T00:00:00Z; may be negative. */
  readonly unixNanos: bigint;
  /** Seconds east of UTC as sent; undefined = UTC proper. Carries no meaning beyond printing. */
  readonly offset: number | undefined;
}

/** Seconds from 0001-01-01T00:00:00Z to the Unix epoch. */
export const SECONDS_TO_EPOCH = 62135596800n;
const ZERO_NANOS = -SECONDS_TO_EPOCH * 1_000_000_000n;

/** Go's zero time, which means "not set" (never expires). */
export const ZERO_TIME: GoTime = Object.freeze({ unixNanos: ZERO_NANOS, offset: undefined });

export function isZeroTime(t: GoTime): boolean {
  return t.unixNanos === ZERO_NANOS;
}
export function timeFromNanos(unixNanos: bigint): GoTime {
  return { unixNanos, offset: undefined };
}
export function timeFromMillis(ms: number): GoTime {
  return { unixNanos: BigInt(Math.trunc(ms)) * 1_000_000n, offset: undefined };
}
/** Milliseconds since the epoch, rounded down. */
export function toMillis(t: GoTime): number {
  const ms = t.unixNanos / 1_000_000n;
  return Number(t.unixNanos < 0n && ms * 1_000_000n !== t.unixNanos ? ms - 1n : ms);
}
