/** Pieces of the original's log lines that several methods share. */
import type { Call } from './method.ts';

/** ` by USER`, or nothing for callers without a name. */
export function byUser(call: Call): string {
  return call.identity.user ? ` by ${call.identity.user}` : '';
}
