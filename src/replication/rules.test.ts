import { describe, expect, test } from 'bun:test';
import { backoffMs, IMAGE_RETRY, reconnectMs } from './backoff.ts';
import { Bandwidth } from './bandwidth.ts';
import { DEFAULT_GUARD, DeletionGuard } from './deletion-guard.ts';
import { compareIdentity, planReconcile, replacedName } from './plan.ts';
import type { Timers } from './timers.ts';
import { WorkQueue } from './work-queue.ts';

class ManualTimers implements Timers {
  time = 0;
  #due: { at: number; then: () => void }[] = [];
  now = () => this.time;
  random = () => 0.5;
  after(ms: number, then: () => void): () => void {
    const entry = { at: this.time + ms, then };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  }
  async advance(ms: number): Promise<void> {
    this.time += ms;
    const due = this.#due.filter(({ at }) => at <= this.time);
    this.#due = this.#due.filter(({ at }) => at > this.time);
    for (const { then } of due) then();
    await settle();
  }
}
const settle = () => new Promise((resolve) => setTimeout(resolve, 1));

describe('back-off', () => {
  for (const [name, wait] of [
    ['an image', (chance: number, many = false) => backoffMs(IMAGE_RETRY, many ? 50 : 0, () => chance)],
    ['a master', (chance: number, many = false) => reconnectMs(many ? 3_600_000 : 0, () => chance)],
  ] as const)
    test(`${name}: within 2 s at first, at most 30 s later, never in step`, () => {
      expect(wait(0.999)).toBeLessThanOrEqual(2000);
      expect(wait(0.999, true)).toBeLessThanOrEqual(30_000);
      expect(wait(0, true)).toBe(15_000);
      expect(wait(0.1)).not.toBe(wait(0.9));
    });

  /** Attempts on a master that is away, each of which fails at once. */
  function found(awayMs: number, chance: number): { lateMs: number; attempts: number } {
    let at = 0;
    let attempts = 0;
    for (; at < awayMs; attempts++) at += reconnectMs(at, () => chance);
    return { lateMs: at - awayMs, attempts };
  }
  for (const away of [1, 3, 5, 10, 60, 120, 3600])
    test(`a master that was away for ${away} s is found soon, and not asked all the time`, () => {
      for (const chance of [0, 0.5, 0.999]) {
        const { lateMs, attempts } = found(away * 1000, chance);
        expect(lateMs).toBeLessThanOrEqual(Math.min(30_000, Math.max(1000, away * 250)));
        expect(attempts).toBeLessThanOrEqual(40 + away / 15);
      }
    });
  test('a clock that was set back does no harm', () => {
    expect(reconnectMs(-1e9, () => 0.999)).toBeLessThanOrEqual(1000);
  });
});

describe('bandwidth cap', () => {
  test('no cap never waits', () => {
    expect(new Bandwidth(0, new ManualTimers()).take(1e12)).toBeUndefined();
  });
  test('what is taken beyond one second worth is waited for', async () => {
    const timers = new ManualTimers();
    const bandwidth = new Bandwidth(1000, timers);
    expect(bandwidth.take(1000)).toBeUndefined();
    let waited = false;
    void bandwidth.take(500)?.then(() => {
      waited = true;
    });
    await timers.advance(499);
    expect(waited).toBe(false);
    await timers.advance(1);
    expect(waited).toBe(true);
    // A long silence saves up one second, not more.
    await timers.advance(60_000);
    expect(bandwidth.take(1000)).toBeUndefined();
    expect(bandwidth.take(1)).toBeDefined();
  });
});

describe('deletion guard', () => {
  const rules = DEFAULT_GUARD;
  const cases: [string, number, number, number, boolean][] = [
    // missing, present, listed, allowed
    ['nothing is missing', 0, 10, 10, true],
    ['an empty master', 33, 33, 0, false],
    ['an empty master, two images', 2, 2, 0, false],
    ['the only image', 1, 1, 0, true],
    ['a few of few', 5, 6, 1, true],
    ['one more than the minimum of few', 6, 20, 14, false],
    ['the share of many', 200, 1000, 800, true],
    ['one more than the share of many', 201, 1000, 799, false],
  ];
  for (const [name, missing, present, listed, allowed] of cases)
    test(`${name}: ${allowed ? 'deleted' : 'held'}`, () => {
      const reason = new DeletionGuard(rules, () => 0).judgeList(missing, present, listed);
      expect(reason === undefined).toBe(allowed);
    });
  test('many small waves are one big one', () => {
    let now = 0;
    const guard = new DeletionGuard(rules, () => now);
    guard.record(150);
    expect(guard.judgeList(50, 850, 800)).toBeUndefined();
    expect(guard.judgeList(51, 850, 799)).toBeDefined();
    now += rules.windowMs + 1;
    expect(guard.judgeList(51, 850, 799)).toBeUndefined();
  });
  test('delete events are followed up to a number, then held', () => {
    const guard = new DeletionGuard(rules, () => 0);
    for (let present = 40; present > 20; present--) {
      expect(guard.judgeEvent(present)).toBeUndefined();
      guard.record();
    }
    expect(guard.judgeEvent(20)).toBeDefined();
  });
  test('1 turns it off', () => {
    const guard = new DeletionGuard({ ...rules, fraction: 1 }, () => 0);
    expect(guard.judgeList(33, 33, 0)).toBeUndefined();
    guard.record(1000);
    expect(guard.judgeEvent(1)).toBeUndefined();
  });
});

describe('plan', () => {
  const at = (nanos: bigint) => ({ unixNanos: nanos, offset: undefined });
  const entry = (name: string, created: bigint, expires = 0n) => ({
    name,
    createdOn: at(created),
    createdBy: 'u',
    expiresAt: at(expires),
  });
  test('compares by creation', () => {
    expect(compareIdentity(entry('a', 1n), entry('a', 1n))).toBe('same');
    expect(compareIdentity(entry('a', 1n, 5n), entry('a', 1n, 6n))).toBe('expiry');
    expect(compareIdentity(entry('a', 1n), entry('a', 2n))).toBe('replaced');
    expect(compareIdentity(entry('a', 1n), { ...entry('a', 1n), createdBy: 'v' })).toBe('replaced');
  });
  test('looks at what differs or is not known, finds what is gone, leaves alone what was touched', () => {
    const here = [
      entry('same', 1n),
      entry('old', 1n),
      entry('unknown', 1n),
      entry('gone', 1n),
      entry('new', 1n),
    ];
    const plan = planReconcile({
      listed: new Set(['same', 'old', 'unknown', 'elsewhere']),
      listedDirectories: new Set(['.', 'a']),
      here: here as never,
      directoriesHere: ['.', 'a', 'b', 'b/c'],
      identities: new Map([
        ['same', entry('same', 1n)],
        ['old', entry('old', 2n)],
      ]),
      touched: new Set(['new']),
    });
    expect(plan).toEqual({ look: ['old', 'unknown'], gone: ['gone'], directoriesGone: ['b/c', 'b'] });
  });
  test('the name of a replaced image tells when it was created', () => {
    expect(replacedName('base/x', at(1_700_000_000_123_456_789n))).toBe(
      'base/x.replaced-20231114T221320.123456789Z',
    );
  });
});

describe('work queue', () => {
  function queueOf(
    run: (name: string, task: string) => Promise<void>,
    timers = new ManualTimers(),
    concurrency = 2,
  ) {
    const failures: string[] = [];
    const queue = new WorkQueue<string>({
      concurrency,
      timers,
      run: (name, task) => run(name, task),
      failed: (failure) => failures.push(`${failure.name} ${failure.attempts}`),
    });
    return { queue, timers, failures };
  }
  test('the latest wish for a name counts, and a name is never worked on twice at once', async () => {
    const done: string[] = [];
    const gate = Promise.withResolvers<void>();
    const { queue } = queueOf(async (name, task) => {
      if (task === 'first') await gate.promise;
      done.push(`${name} ${task}`);
    });
    queue.push('a', 'first');
    queue.push('a', 'second');
    queue.push('a', 'third');
    queue.push('b', 'other');
    await queue.settled((name) => name === 'b');
    expect(done).toEqual(['b other']);
    gate.resolve();
    await queue.settled();
    expect(done).toEqual(['b other', 'a first', 'a third']);
  });
  test('urgent tasks overtake the backlog', async () => {
    const done: string[] = [];
    const { queue } = queueOf(
      async (name) => {
        done.push(name);
        await settle();
      },
      undefined,
      1,
    );
    for (const name of ['a', 'b', 'c']) queue.push(name, '');
    queue.push('now', '', 'urgent');
    queue.push('c', '', 'urgent');
    await queue.settled();
    expect(done).toEqual(['a', 'now', 'c', 'b']);
  });
  test('one that fails is tried again with growing waits and holds up nobody', async () => {
    let broken = true;
    const done: string[] = [];
    const { queue, timers, failures } = queueOf(async (name) => {
      if (name === 'bad' && broken) throw new Error('broken');
      done.push(name);
    });
    queue.push('bad', '');
    queue.push('good', '');
    await queue.settled();
    expect(done).toEqual(['good']);
    expect(queue.failures()).toMatchObject([{ name: 'bad', attempts: 1, since: 0, retryAt: 1500 }]);
    await timers.advance(1500);
    await timers.advance(3000);
    expect(failures).toEqual(['bad 1', 'bad 2', 'bad 3']);
    broken = false;
    await timers.advance(6000);
    await queue.settled();
    expect(done).toEqual(['good', 'bad']);
    expect(queue.failures()).toEqual([]);
  });
  test('stop aborts and waits', async () => {
    const gate = Promise.withResolvers<void>();
    const { queue } = queueOf(() => gate.promise);
    queue.push('a', '');
    queue.push('a', 'again');
    const stopped = queue.stop();
    gate.resolve();
    await stopped;
    expect(queue.size).toBe(0);
  });
});
