import { expect, test } from 'bun:test';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogFiles } from './log-files.ts';

const KIB = 1024;

async function withLogs(
  limits: { maxFileBytes?: number; quotaBytes?: number },
  run: (files: LogFiles, directory: string, problems: string[]) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'imageserver-logs-'));
  const problems: string[] = [];
  let seconds = 0;
  const files = new LogFiles({
    directory,
    maxFileBytes: 20 * KIB,
    quotaBytes: 100 * KIB,
    onProblem: (text) => problems.push(text),
    // A file each second.
    now: () => new Date(2026, 10, 23, 6, 25, seconds++, 420),
    ...limits,
  });
  try {
    await run(files, directory, problems);
  } finally {
    await files.close();
    rmSync(directory, { recursive: true });
  }
}

const logsIn = (directory: string) =>
  readdirSync(directory)
    .filter((name) => name.startsWith('2026'))
    .sort();
const line = `${'x'.repeat(KIB - 1)}\n`;

test('a file is named by its time, and latest points to it', async () => {
  await withLogs({}, async (files, directory) => {
    files.write('hello\n');
    await files.close();
    expect(readlinkSync(join(directory, 'latest'))).toBe('2026-11-23:06:25:00.42');
    expect(readFileSync(join(directory, 'latest'), 'utf8')).toBe('hello\n');
  });
});

test('a full file is closed with a word, the next one begins', async () => {
  await withLogs({}, async (files, directory, problems) => {
    for (let i = 0; i < 25; i++) files.write(line);
    await files.close();
    const [first = '', second = ''] = logsIn(directory);
    expect(readFileSync(join(directory, first), 'utf8')).toEndWith('Closing and will open new logfile\n');
    expect(readFileSync(join(directory, second), 'utf8')).toBe(line.repeat(4));
    expect(readlinkSync(join(directory, 'latest'))).toBe(second);
    expect(problems).toEqual([]);
  });
});

test('the oldest files go when all are over the quota; other files stay', async () => {
  await withLogs({}, async (files, directory) => {
    writeFileSync(join(directory, 'audit.log'), 'a'.repeat(200 * KIB));
    for (let i = 0; i < 300; i++) files.write(line);
    await files.close();
    // The quota is looked at when a file is begun.
    await new LogFiles({
      directory,
      maxFileBytes: 20 * KIB,
      quotaBytes: 100 * KIB,
      onProblem: () => undefined,
      now: () => new Date(2026, 10, 23, 7),
    }).close();
    const names = logsIn(directory);
    const bytes = names.reduce((sum, name) => sum + readFileSync(join(directory, name)).length, 0);
    expect(bytes).toBeLessThan(150 * KIB);
    expect(names).not.toContain('2026-11-23:06:25:00.42');
    expect(existsSync(join(directory, 'audit.log'))).toBe(true);
  });
});

test('a directory that cannot be written is an error at the start', () => {
  expect(
    () =>
      new LogFiles({
        directory: '/proc/nowhere',
        maxFileBytes: 1,
        quotaBytes: 1,
        onProblem: () => undefined,
      }),
  ).toThrow();
});
