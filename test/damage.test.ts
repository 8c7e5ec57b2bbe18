/** One bad file: the server starts, and everybody who should know of it is told. */
import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from './server.ts';

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
});
