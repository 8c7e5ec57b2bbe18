/** Where the stores say what they find: damages kept for the dashboard and metrics, lines for the log. */
import type { Damage } from './types.ts';

/** Kept at most; counting goes on. */
const MAX_DAMAGES = 1000;

export class Reporter {
  readonly #log: (line: string) => void;
  readonly #now: () => number;
  readonly #damages = new Map<string, Damage>();
  /** All ever reported, by kind: a counter for metrics. */
  readonly counts: Record<Damage['kind'], number> = { image: 0, object: 0, metadata: 0, index: 0, stray: 0 };

  constructor(log: (line: string) => void, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  log(line: string): void {
    this.#log(line);
  }

  damage(kind: Damage['kind'], what: string, reason: string): void {
    const key = `${kind} ${what}`;
    if (this.#damages.get(key)?.reason === reason) return;
    this.counts[kind]++;
    if (this.#damages.size < MAX_DAMAGES || this.#damages.has(key))
      this.#damages.set(key, { kind, what, reason, at: this.#now() });
    this.#log(`Damaged ${kind}: ${what}: ${reason}`);
  }

  /** A good copy has come, or what else `how` says: nothing damaged is there any more. */
  healed(kind: Damage['kind'], what: string, how = 'Healed'): void {
    if (this.#damages.delete(`${kind} ${what}`)) this.#log(`${how} ${kind}: ${what}`);
  }

  damages(): Damage[] {
    return [...this.#damages.values()];
  }
}
