/** What becomes of deleted images and of objects that no image uses, as operators see it: trash, collection, a full disk. */
import { afterEach, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListTrashRequest, ListTrashResponse } from '../src/wire/messages/extensions.ts';
import { available, freePort, Node, picture, sha512, upload } from './replication-lab.ts';

const nodes: Node[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.remove()));
});
async function start(...args: string[]): Promise<Node> {
  const node = new Node('ours', await freePort(), args);
  nodes.push(node);
  await node.start();
  return node;
}
const text = (...contents: string[]) => contents.map((one) => Buffer.from(one));
const has = async (node: Node, content: string) =>
  (await fetch(`http://127.0.0.1:${node.port}/objects/${sha512(Buffer.from(content))}`)).status === 200;

test('collection takes the oldest first, never what is in the trash or was just uploaded; a dry run tells before', async () => {
  const node = await start('-objectGracePeriod=0s');
  await node.with((client) => upload(client, text('an orphan')));
  await node.with((client) => upload(client, text('a younger orphan')));
  await node.add('kept', text('used'));
  await node.add('deleted', text('in the trash', 'used'));
  await node.delete('deleted');
  const preview = await node.tool('-dryRun', 'delunrefobj', '100', '0');
  expect(preview).toMatchObject({ status: 0, stderr: '' });
  const lines = preview.stdout.trimEnd().split('\n');
  expect(lines.map((line) => line.split(' ')[0])).toEqual([
    sha512(Buffer.from('an orphan')),
    sha512(Buffer.from('a younger orphan')),
    'would',
  ]);
  expect(lines[2]).toBe('would delete 2 objects, 25 B');
  expect(JSON.parse((await node.tool('-dryRun', '-json', 'delunrefobj', '0', '1')).stdout)).toMatchObject({
    NumObjects: 1,
    TotalBytes: 9,
    Objects: [{ Hash: sha512(Buffer.from('an orphan')), Size: 9 }],
  });
  for (const content of ['an orphan', 'a younger orphan']) expect(await has(node, content)).toBe(true);

  expect(await node.tool('delunrefobj', '0', '1')).toMatchObject({ status: 0, stderr: '' });
  expect([await has(node, 'an orphan'), await has(node, 'a younger orphan')]).toEqual([false, true]);
  await node.collect();
  expect(await has(node, 'a younger orphan')).toBe(false);
  for (const content of ['in the trash', 'used']) expect(await has(node, content)).toBe(true);

  expect(await node.tool('undelete', 'deleted')).toMatchObject({ status: 0, stderr: '' });
  expect(await picture(node)).not.toContain('wrong');
  await node.delete('deleted');
  expect(await node.tool('purge', 'deleted')).toMatchObject({ status: 0, stderr: '' });
  expect((await node.tool('-dryRun', 'delunrefobj', '100', '0')).stdout).toContain('would delete 1 objects');
  await node.collect();
  expect([await has(node, 'in the trash'), await has(node, 'used')]).toEqual([false, true]);
});

test('protected images are deleted by nobody, as the file says at that moment', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'imageserver-protected-'));
  try {
    const file = join(directory, 'protected');
    const refused = await start(`-protectedImages=${file}`).catch((error: Error) => error.message);
    expect(refused).toContain(`-protectedImages: ENOENT: no such file or directory, open '${file}'`);
    writeFileSync(file, '# what machines boot from\ngolden$\nbase/\n');
    const node = await start(`-protectedImages=${file}`);
    await node.mkdir('base');
    for (const name of ['golden', 'golden2', 'base/x', 'other']) await node.add(name, text(name));
    for (const name of ['golden', 'base/x'])
      expect(await node.tool('delete', name)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(
          `image is protected against deletion on this server (-protectedImages): ${name}`,
        ),
      });
    const http = await fetch(`http://127.0.0.1:${node.port}/images/golden`, { method: 'DELETE' });
    expect([http.status, await http.json()]).toEqual([409, expect.objectContaining({ code: 'CONFLICT' })]);
    expect(await node.tool('delete', 'golden2')).toMatchObject({ status: 0, stderr: '' });

    rmSync(file);
    expect((await node.tool('delete', 'other')).stderr).toContain(
      'the list of protected images cannot be read, so nothing is deleted',
    );
    writeFileSync(file, '(');
    expect((await node.tool('delete', 'other')).status).toBe(1);
    expect(node.log).toContain('-protectedImages: no image can be deleted: ');
    expect((await node.tool('list')).stdout).toBe('base/x\ngolden\nother\n');

    writeFileSync(file, 'golden$\n');
    for (const name of ['base/x', 'other'])
      expect(await node.tool('delete', name)).toMatchObject({ status: 0, stderr: '' });
    expect((await node.tool('list')).stdout).toBe('golden\n');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('within the time of grace nothing is collected', async () => {
  const node = await start('-objectGracePeriod=1h');
  await node.with((client) => upload(client, text('just uploaded')));
  expect((await node.tool('-dryRun', 'delunrefobj', '100', '0')).stdout).toBe(
    'would delete 0 objects, 0 B\n',
  );
  await node.collect();
  expect(await has(node, 'just uploaded')).toBe(true);
});

test('unreferenced data beyond a size are collected before the next object is written', async () => {
  const node = await start(
    '-objectGracePeriod=0s',
    '-objectServerCleanupStartSize=1M',
    '-objectServerCleanupStopSize=300K',
  );
  const parts = Array.from({ length: 4 }, (_, index) => Buffer.alloc(300_000, `${index}`));
  for (const part of parts.slice(0, 3)) await node.with((client) => upload(client, [part]));
  await node.with((client) => upload(client, [parts[3] as Buffer]));
  const there = await Promise.all(parts.map((part) => has(node, part.toString())));
  expect(there).toEqual([false, false, true, true]);
});

test('a disk without room: 507 over HTTP, a clear error over SRPC; reading and deleting go on', async () => {
  const roomy = await start();
  await roomy.add('image', text('contents'));
  await roomy.stop();
  const node = await roomy.again(['-minFreeBytes=1000T', '-trashGracePeriod=0s']);
  nodes.push(node);
  const put = await fetch(`http://127.0.0.1:${node.port}/objects/${sha512(Buffer.from('more'))}`, {
    method: 'PUT',
    body: 'more',
  });
  expect(put.status).toBe(507);
  expect(await put.text()).toContain('no space left on device');
  await expect(node.with((client) => upload(client, text('more')))).rejects.toThrow(
    'no space left on device',
  );
  // Nothing of it says where the server keeps its files.
  expect(await picture(node)).toContain('image: ');
  expect(await has(node, 'contents')).toBe(true);
  await node.delete('image');
  expect(await picture(node)).not.toContain('image: ');
});

test('a deleted image is an empty file on disk, an undeleted one has its bytes again', async () => {
  const node = await start();
  await node.add('a', text('a'));
  const file = join(node.imageDirectory, 'a');
  const { size } = statSync(file);
  await node.delete('a');
  expect(statSync(file).size).toBe(0);
  const { Images } = await node.with((client) =>
    client.call('ImageServer.ListTrash', ListTrashRequest, ListTrashResponse, {}),
  );
  expect(Images.map(({ Name }) => Name)).toEqual(['a']);
  await node.tool('undelete', 'a');
  expect(statSync(file).size).toBe(size);
});

test.skipIf(!available('original'))('the original on our directories sees deleted images', async () => {
  const node = await start();
  await node.mkdir('d');
  await node.add('d/kept', text('kept', 'both'));
  await node.add('d/deleted', text('deleted', 'both'));
  await node.delete('d/deleted');
  await node.stop();
  const original = new Node('original', node.port, [], node.directory);
  renameSync(node.imageDirectory, original.imageDirectory);
  renameSync(node.objectDirectory, original.objectDirectory);
  nodes.push(original);
  await original.start();
  const seen = await picture(original);
  expect(seen).toContain('d/kept: ');
  expect(seen).not.toContain('d/deleted: ');
  await original.add('d/new', text('new'));
  await original.delete('d/kept');
  await original.stop();
  renameSync(original.imageDirectory, node.imageDirectory);
  renameSync(original.objectDirectory, node.objectDirectory);
  // The trash is ours and outlives that.
  expect(existsSync(join(node.imageDirectory, '.trash'))).toBe(true);
  await node.start();
  expect(await node.tool('undelete', 'd/deleted')).toMatchObject({ status: 0, stderr: '' });
  const again = await picture(node);
  for (const name of ['d/new: ', 'd/deleted: ']) expect(again).toContain(name);
  expect(again).not.toContain('d/kept: ');
});
