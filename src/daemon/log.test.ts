import { expect, test } from 'bun:test';
import { defaults } from '../flags/flags.ts';
import { LOG_FLAGS, Log, type LogFlags } from './log.ts';

function withLog(more: Partial<LogFlags> = {}) {
  return new Log({ ...defaults(LOG_FLAGS), logDir: '', ...more });
}
/** Without the times. */
const texts = (lines: readonly string[]) => lines.map((line) => line.replace(/^\S+ \S+ /, ''));

test('debug messages go to the log up to its level, to a listener up to the level of that', () => {
  const log = withLog();
  const heard: string[] = [];
  const end = log.subscribe(2, (line) => heard.push(line));
  log.write('always');
  log.debug(0, 'debug 0');
  log.debug(3, 'debug 3');
  log.setLevel(1);
  log.debug(1, 'debug 1');
  log.debug(2, 'debug 2');
  log.setLevel(-9);
  log.debug(0, 'not in the log');
  end();
  log.write('later');
  expect(texts(log.lines())).toEqual(['always', 'debug 1', 'later']);
  expect(texts(heard)).toEqual(['always\n', 'debug 0\n', 'debug 1\n', 'debug 2\n', 'not in the log\n']);
  expect(log.listeners).toBe(0);
});

test('the level at the start is that of the flag', () => {
  const log = withLog({ initialLogDebugLevel: 2 });
  log.debug(2, 'yes');
  log.debug(3, 'no');
  expect(texts(log.lines())).toEqual(['yes']);
  const low = withLog({ initialLogDebugLevel: -5 });
  low.write('always');
  low.debug(0, 'no');
  expect(texts(low.lines())).toEqual(['always']);
});

test('a line is one line for listeners, too', () => {
  const log = withLog();
  const heard: string[] = [];
  log.subscribe(-1, (line) => heard.push(line));
  log.write('two\nlines');
  expect(texts(heard)).toEqual(['two lines\n']);
});
