/**
 * Keeps a master's accident (an unmounted or wrong image directory) from emptying its replicas: deletions beyond a
 * share of the images are held back until somebody decides.
 */

export interface GuardRules {
  /** Share of the images that may go without asking; 1 or more = the guard is off. */
  readonly fraction: number;
  /** This many may always go when the master's list lacks them. */
  readonly minimum: number;
  /** This many delete events may always be followed within the window. */
  readonly liveMinimum: number;
  /** Deletions are counted over this time, so that many small waves are one big one, milliseconds. */
  readonly windowMs: number;
}

export const DEFAULT_GUARD: GuardRules = {
  fraction: 0.2,
  minimum: 5,
  liveMinimum: 20,
  windowMs: 600_000,
};

export class DeletionGuard {
  readonly #rules: GuardRules;
  readonly #now: () => number;
  /** When each recent deletion was followed, oldest first. */
  readonly #recent: number[] = [];

  constructor(rules: GuardRules, now: () => number) {
    this.#rules = rules;
    this.#now = now;
  }

  /** Notes `count` deletions that were followed. */
  record(count = 1): void {
    for (let i = 0; i < count; i++) this.#recent.push(this.#now());
  }

  /**
   * May `missing` of the `present` images here be deleted because the master's complete list, `listed` long, lacks
   * them? Undefined = yes; otherwise the reason why not.
   */
  judgeList(missing: number, present: number, listed: number): string | undefined {
    if (this.#rules.fraction >= 1 || missing === 0) return undefined;
    if (listed === 0 && present > 1) return 'the master lists no images';
    return this.#judge(
      missing,
      present,
      this.#rules.minimum,
      `the master's list lacks ${missing} of ${present} images`,
    );
  }

  /** May one more delete event be followed? Undefined = yes; otherwise the reason why not. */
  judgeEvent(present: number): string | undefined {
    if (this.#rules.fraction >= 1) return undefined;
    return this.#judge(1, present, this.#rules.liveMinimum, 'the master deletes many images at once');
  }

  #judge(wanted: number, present: number, minimum: number, reason: string): string | undefined {
    const since = this.#now() - this.#rules.windowMs;
    while (this.#recent[0] !== undefined && this.#recent[0] < since) this.#recent.shift();
    const recent = this.#recent.length;
    const limit = Math.max(minimum, Math.floor(this.#rules.fraction * (present + recent)));
    return recent + wanted > limit ? reason : undefined;
  }
}
