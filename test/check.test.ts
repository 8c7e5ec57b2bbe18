/** `imageserver check` on the directories of a stopped server. */
import { afterAll, expect, test } from 'bun:test';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectPath } from '../src/store/object-hash.ts';
import { Node, sha512 } from './replication-lab.ts';
import { programCommand, runProgram } from './server.ts';

const places: string[] = [];
afterAll(() => {
  for (const place of places) rmSync(place, { recursive: true, force: true });
});
const text = (...contents: string[]) => contents.map((one) => Buffer.from(one));

test('everything is read; what has rotted is named, set aside, and the exit status tells', async () => {
  const node = await Node.start('ours');
  places.push(node.directory);
  const check = () =>
    runProgram([
      ...programCommand('imageserver'),
      ...['check', '-allowRoot', `-imageDir=${node.imageDirectory}`, `-objectDir=${node.objectDirectory}`],
    ]);
  await node.mkdir('d');
  await node.add('d/a', text('first', 'both'));
  await node.add('d/b', text('second', 'both'));
  expect(await check()).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('in use by another image server'),
  });
  await node.stop();
  expect(await check()).toEqual({ status: 0, stdout: '2 images, 3 objects, 15 B, all read\n', stderr: '' });

  // Same length, so that only reading it tells.
  const object = join(node.objectDirectory, objectPath(sha512(Buffer.from('first'))));
  writeFileSync(object, 'worst');
  writeFileSync(join(node.imageDirectory, 'd', 'stray'), 'no image');
  const image = readFileSync(join(node.imageDirectory, 'd', 'b'));
  truncateSync(join(node.imageDirectory, 'd', 'b'), image.length - 100);
  const damaged = await check();
  expect(damaged.status).toBe(1);
  expect(damaged.stdout).toContain(`object ${sha512(Buffer.from('first'))}: `);
  for (const name of ['d/stray', 'd/b']) expect(damaged.stdout).toContain(`image ${name}: `);
  expect(damaged.stdout).toContain('1 images, 2 objects, 10 B, all read\n');
  expect(damaged.stderr).toContain('not everything is sound');
  expect(readdirSync(join(node.objectDirectory, '.quarantine'))).toHaveLength(1);
});

test('directories that are not there are not made', async () => {
  const place = mkdtempSync(join(tmpdir(), 'check-'));
  places.push(place);
  mkdirSync(join(place, 'images'));
  const ran = await runProgram([
    ...programCommand('imageserver'),
    ...['check', '-allowRoot', `-imageDir=${join(place, 'images')}`, `-objectDir=${join(place, 'objects')}`],
  ]);
  expect(ran).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('no such file or directory'),
  });
  expect(readdirSync(place)).toEqual(['images']);
});
