/**
 * How long a process has waited for a core, from /proc: on a machine with other work that is most of what a clock
 * measures, and says nothing about the process.
 */
import { readFileSync } from 'node:fs';

/** Milliseconds since the start of the process that its first thread was ready to run and did not. 0 = not known. */
export function coreWaits(pid: number | 'self'): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6;
  } catch {
    return 0; // Not Linux, or a kernel without these figures.
  }
}

/** Times of calls to a server, on the clock and without what either side waited for a core. */
export class CallTimes {
  readonly #pid: number;
  readonly #wall: number[] = [];
  readonly #net: number[] = [];

  constructor(pid: number) {
    this.#pid = pid;
  }

  async time(call: () => Promise<unknown>): Promise<void> {
    const waits = () => coreWaits('self') + coreWaits(this.#pid);
    const [waited, before] = [waits(), performance.now()];
    await call();
    const wall = performance.now() - before;
    this.#wall.push(wall);
    this.#net.push(Math.max(wall - (waits() - waited), 0));
  }

  get count(): number {
    return this.#wall.length;
  }

  /** `p50 0.1 / p99 2.0 / max 9.9 ms (on the clock 0.1 / 2.5 / 30.0)` */
  toString(): string {
    const at = (times: number[]) => {
      times.sort((a, b) => a - b);
      return [0.5, 0.99, 1].map((share) => (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(1));
    };
    const [p50, p99, max] = at(this.#net);
    return `p50 ${p50} / p99 ${p99} / max ${max} ms (on the clock ${at(this.#wall).join(' / ')})`;
  }
}
