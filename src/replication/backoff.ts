/** Growing waits with jitter: a fleet of replicas must not come back to its master in step. */

export interface BackoffRules {
  /** Longest first wait, milliseconds. */
  readonly firstMs: number;
  /** No wait is longer, milliseconds. */
  readonly capMs: number;
  readonly factor: number;
}

/**
 * First retry within a second, then growing to at most 30 s, so slowly that a master that was away for some seconds is
 * found again within about a third of that time.
 */
export const RECONNECT: BackoffRules = { firstMs: 1000, capMs: 30_000, factor: 1.3 };
/** The same for one image that failed. */
export const IMAGE_RETRY: BackoffRules = { firstMs: 2000, capMs: 30_000, factor: 2 };

/** Wait before retry number `attempt` (0 = first): between half and all of the grown time. */
export function backoffMs(rules: BackoffRules, attempt: number, random: () => number): number {
  const grown = Math.min(rules.capMs, rules.firstMs * rules.factor ** attempt);
  return Math.round(grown * (0.5 + 0.5 * random()));
}
