/** A cap on the bytes per second taken from the master: a bucket that fills steadily and may be overdrawn once. */
import { pause, type Timers } from './timers.ts';

export class Bandwidth {
  readonly #rate: number;
  readonly #timers: Timers;
  /** Bytes that may be taken now; negative = a debt that must be waited for. */
  #tokens: number;
  #filledAt: number;
  #taken = 0;

  /** `bytesPerSecond` 0 = no cap. */
  constructor(bytesPerSecond: number, timers: Timers) {
    this.#rate = bytesPerSecond;
    this.#timers = timers;
    this.#tokens = bytesPerSecond;
    this.#filledAt = timers.now();
  }

  /** Bytes taken since the start, capped or not. */
  get taken(): number {
    return this.#taken;
  }

  /** Accounts for bytes just received; resolves when the next ones may be asked for. Undefined = at once. */
  take(bytes: number, signal?: AbortSignal): Promise<void> | undefined {
    this.#taken += bytes;
    if (this.#rate === 0) return undefined;
    const now = this.#timers.now();
    // At most one second's worth is saved up; a clock that jumps back fills nothing.
    const elapsed = Math.max(0, now - this.#filledAt) / 1000;
    this.#tokens = Math.min(this.#rate, this.#tokens + elapsed * this.#rate) - bytes;
    this.#filledAt = now;
    if (this.#tokens >= 0) return undefined;
    return pause(this.#timers, (-this.#tokens / this.#rate) * 1000, signal);
  }
}
