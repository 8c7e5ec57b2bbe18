import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { Alarm } from './alarm.ts';

/** An alarm on a clock of our own; timers of the process are real. */
function setUp(start = 1_000_000) {
  const state = { now: start, rung: [] as string[], wake() {} };
  const alarm = new Alarm(
    () => state.now,
    (key) => {
      state.rung.push(key);
      state.wake();
    },
  );
  const rings = (count: number) =>
    new Promise<void>((resolve) => {
      state.wake = () => {
        if (state.rung.length >= count) resolve();
      };
      state.wake();
    });
  return { state, alarm, rings };
}

test('a clock that jumps ahead, or a machine that slept, is noticed without being told', async () => {
  const { state, alarm, rings } = setUp();
  alarm.set('in an hour', state.now + 3_600_000);
  alarm.set('in two hours', state.now + 7_200_000);
  state.now += 3_600_000;
  await rings(1);
  expect(state.rung).toEqual(['in an hour']);
  state.now += 3_600_000;
  await rings(2);
  expect(state.rung).toEqual(['in an hour', 'in two hours']);
  alarm.stop();
});

test('a clock that is set back delays what is due', () => {
  const { state, alarm } = setUp();
  alarm.set('x', state.now + 1000);
  state.now -= 3_600_000;
  alarm.check();
  expect(state.rung).toEqual([]);
  state.now += 3_600_000 + 999;
  alarm.check();
  expect(state.rung).toEqual([]);
  state.now++;
  alarm.check();
  expect(state.rung).toEqual(['x']);
  alarm.stop();
});

test('deadlines that are moved or lifted, in any order, ring once at their last time', () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(9), fc.option(fc.nat(50), { nil: undefined })), { maxLength: 60 }),
      (settings) => {
        const { state, alarm } = setUp(0);
        const last = new Map<string, number>();
        for (const [key, at] of settings) {
          alarm.set(`${key}`, at);
          if (at === undefined) last.delete(`${key}`);
          else last.set(`${key}`, at);
        }
        for (let time = 0; time <= 50; time++) {
          const before = state.rung.length;
          state.now = time;
          alarm.check();
          const due = [...last].filter(([, at]) => at === time).map(([key]) => key);
          expect(state.rung.slice(before).sort()).toEqual(due.sort());
        }
        alarm.stop();
      },
    ),
  ));

test('a deadline that is moved a million times is remembered once', () => {
  const { state, alarm } = setUp();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 1_000_000; i++) alarm.set('x', state.now + 1_000_000 + i);
  Bun.gc(true);
  // A million entries would be some 50 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
  state.now += 1_999_999;
  alarm.check();
  expect(state.rung).toEqual(['x']);
  alarm.stop();
});
