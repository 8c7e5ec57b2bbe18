/**
 * The analyser of the durability test, on a recorded session (mkdir, an upload of three objects, AddImage, DeleteImage):
 * without findings as it is, and with one wherever a sync that an answer rests on is taken out.
 */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { undurableAnswers } from './system-calls.ts';

const PORT = 45454;
const matters = (path: string) => path.startsWith('/data/') && !/\/\.tmp$|\/\.lock$/.test(path);
const lines = readFileSync(join(import.meta.dir, 'system-calls-recording.txt'), 'utf8').split('\n');
const analyse = (recording: readonly string[]) => undurableAnswers(recording.join('\n'), PORT, matters);

/** The lines of the sync that begins at `first`: one, or two if other calls came in between. */
function syncAt(first: number): number[] {
  if (!lines[first]?.endsWith('<unfinished ...>')) return [first];
  const pid = lines[first].split(' ')[0] as string;
  const last = lines.findIndex((line, at) => at > first && line.startsWith(`${pid} <... f`));
  return [first, last];
}

const syncs = lines.flatMap((line, at) => {
  const path = /fsync\(\d+<([^>]*)>/.exec(line)?.[1];
  return path === undefined ? [] : [{ path, at }];
});
const lastAnswer = lines.findLastIndex((line) => line.includes(`:${PORT}->`));
/** The name of the paper in the trash is on disk before the file is; the sync after that would do for the answer. */
const ORDER_ONLY = syncs.findIndex(({ path }) => path === '/data/images/.trash');

describe('recorded system calls', () => {
  test('as they were: nothing is answered too early', () => {
    const { answers, syncs: counted, findings } = analyse(lines);
    expect(findings).toEqual([]);
    expect(answers).toBeGreaterThan(15);
    expect(counted).toBe(syncs.length + 1);
  });
  for (const [index, { path, at }] of syncs.entries()) {
    if (at > lastAnswer || index === ORDER_ONLY) continue;
    test(`without the sync number ${index + 1}, of ${path.replace(/mx.*/, '…')}`, () => {
      const missing = syncAt(at);
      const { findings } = analyse(lines.filter((_, line) => !missing.includes(line)));
      // The file may have got its name since.
      const renamed = lines.find((line) => line.includes(`rename("${path}"`))?.match(/", "([^"]*)"/)?.[1];
      expect(findings[0]?.undurable).toContain(renamed ?? path);
    });
  }
  test('a sync that ends after the answer does not count', () => {
    const at = syncs.find(({ path }) => path === '/data/images/d')?.at as number;
    const moved = lines.with(at, '');
    moved.splice(at + 2, 0, lines[at] as string);
    expect(analyse(moved).findings).toHaveLength(1);
  });
  test('a sync that began before the write does not count', () => {
    const write = lines.findIndex((line) => line.includes('"one\\n", 4) = 4'));
    const sync = lines.findIndex((line) => /fsync\(\d+<\/data\/objects\/\.tmp\/\S*-1>/.test(line));
    const moved = lines.with(sync, '');
    moved.splice(write, 0, lines[sync] as string);
    expect(analyse(moved).findings.length).toBeGreaterThan(0);
  });
});
