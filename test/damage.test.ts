/** One bad file: the server starts, and everybody who should know of it is told. */
import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programCommand, runProgram, startServer } from './server.ts';

test('a damaged image is named in the log, on the status page and in the metrics', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'imageserver-damage-'));
  mkdirSync(join(directory, 'images', 'base'), { recursive: true });
  writeFileSync(join(directory, 'images', 'base', 'bad<b>.0'), 'no image at all');
  await using server = await startServer({ directory });
  expect(server.stderr()).toContain('base/bad<b>.0');
  const page = await (await fetch(server.url)).text();
  expect(page).toContain('image base/bad&lt;b&gt;.0: ');
  expect(page).not.toContain(directory);
  const metrics = await fetch(`${server.url}/metrics`);
  expect(metrics.headers.get('content-type')).toStartWith('text/plain');
  const text = await metrics.text();
  expect(text).toContain('imageserver_damages{kind="image"} 1\n');
  expect(text).toContain('imageserver_ready 1\n');
  expect(text).toContain('imageserver_images 0\n');

  const tool = (...args: string[]) =>
    runProgram([
      ...programCommand('imagetool'),
      '-certDirectory=',
      '-imageServerHostname=127.0.0.1',
      `-imageServerPortNum=${server.port}`,
      ...args,
    ]);
  expect((await tool('list')).stdout).toBe('');
  expect(await tool('delete', 'base/bad<b>.0')).toMatchObject({ status: 0, stderr: '' });
  expect(statSync(join(directory, 'images', 'base', 'bad<b>.0')).size).toBe(0);
  expect(readdirSync(join(directory, 'images', '.quarantine'))).toHaveLength(1);
  expect(await (await fetch(server.url)).text()).not.toContain('image base/bad');
  const again = await tool('delete', 'base/bad<b>.0');
  expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('image does not exist') });
});
