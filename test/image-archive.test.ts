/** The archive of an image over HTTP is what GNU tar takes for the tree that was added. */
import { expect, test } from 'bun:test';
import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programCommand, runProgram, startServer } from './server.ts';

test('files around the size that is read at once, many small ones, hard links and long names come out as they went in', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'image-archive-'));
  await using server = await startServer();
  try {
    const tree = join(scratch, 'tree');
    const out = join(scratch, 'out');
    const deep = join(tree, 'd'.repeat(120));
    for (const path of [tree, out, deep]) mkdirSync(path);
    for (const size of [0, 1, 511, 512, 513, 32_767, 32_768, 32_769, 130_000, 262_144, 300_001])
      writeFileSync(join(tree, `size-${size}`), Buffer.alloc(size, `${size} `));
    for (let index = 0; index < 400; index++)
      writeFileSync(join(deep, `file-${index}`), `${index} `.repeat(index));
    linkSync(join(tree, 'size-32769'), join(tree, 'z-link'));
    symlinkSync('size-1', join(tree, 'z-symlink'));
    const filter = join(scratch, 'filter');
    writeFileSync(filter, '/none\n');
    const flags = [
      '-certDirectory=',
      '-imageServerHostname=127.0.0.1',
      '-requiredPaths=/size-1:f',
      `-imageServerPortNum=${server.port}`,
    ];
    const added = await runProgram([
      ...programCommand('imagetool'),
      ...flags,
      'add',
      'img',
      tree,
      filter,
      '',
    ]);
    expect(added).toMatchObject({ status: 0 });
    const answer = await fetch(`${server.url}/images/img.tar`);
    writeFileSync(join(scratch, 'img.tar'), await answer.bytes());
    const unpacked = await runProgram(['tar', '-C', out, '-xf', join(scratch, 'img.tar')]);
    expect(unpacked).toMatchObject({ status: 0, stderr: '' });
    expect(await runProgram(['diff', '-r', '--no-dereference', tree, out])).toMatchObject({
      status: 0,
      stdout: '',
    });
    expect(statSync(join(out, 'z-link')).ino).toBe(statSync(join(out, 'size-32769')).ino);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
