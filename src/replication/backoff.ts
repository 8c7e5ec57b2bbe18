/** Growing waits with jitter: a fleet of replicas must not come back to its master in step. */

export interface BackoffRules {
  /** Longest first wait, milliseconds. */
  readonly firstMs: number;
  /** No wait is longer, milliseconds. */
  readonly capMs: number;
  readonly factor: number;
}

/** For one image that failed. */
export const IMAGE_RETRY: BackoffRules = { firstMs: 2000, capMs: 30_000, factor: 2 };

/** Wait before retry number `attempt` (0 = first): between half and all of the grown time. */
export function backoffMs(rules: BackoffRules, attempt: number, random: () => number): number {
  const grown = Math.min(rules.capMs, rules.firstMs * rules.factor ** attempt);
  return Math.round(grown * (0.5 + 0.5 * random()));
}

const RECONNECT_FIRST_MS = 1000;
const RECONNECT_CAP_MS = 30_000;
/** A master that was away is found again within about this share of the time that it was away. */
const RECONNECT_SHARE = 0.25;

/**
 * Wait before a lost master is looked for again: by the time since anything came of it, not by the number of attempts,
 * which fail fast while it restarts. Between half and all of the grown time.
 */
export function reconnectMs(awayMs: number, random: () => number): number {
  const grown = Math.min(RECONNECT_CAP_MS, Math.max(RECONNECT_FIRST_MS, awayMs * RECONNECT_SHARE));
  return Math.round(grown * (0.5 + 0.5 * random()));
}
