/** Objects that rot, shrink or vanish, while the server runs and while it does not: never wrong bytes, nobody hangs, an upload heals. */
import { afterAll, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { objectPath } from '../src/store/object-hash.ts';
import { Node, sha512, upload } from './replication-lab.ts';
import { programCommand, runProgram } from './server.ts';

const nodes: Node[] = [];
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.remove()));
});
const SOUND = Buffer.from('the contents of a file '.repeat(20_000));

const harms: readonly [what: string, harm: (path: string) => void][] = [
  ['altered, same length', (path) => writeFileSync(path, Buffer.from(SOUND).fill('X', 1000, 1001))],
  ['shortened', (path) => truncateSync(path, 100)],
  ['emptied', (path) => truncateSync(path, 0)],
  ['removed', (path) => rmSync(path)],
];
for (const while_ of ['it runs', 'it does not'] as const)
  test.each(harms)(
    `%s while ${while_}`,
    async (_what, harm) => {
      const node = await Node.start('ours');
      nodes.push(node);
      await node.add('whole', [Buffer.from('whole')]);
      await node.add('harmed', [SOUND]);
      const path = join(node.objectDirectory, objectPath(sha512(SOUND)));
      if (while_ === 'it does not') await node.stop();
      harm(path);
      if (while_ === 'it does not') await node.start();

      const target = join(node.directory, 'target');
      const get = async (name: string) => {
        rmSync(target, { recursive: true, force: true });
        return node.tool('-noSameOwner', 'get', name, target);
      };
      // Sizes are promised before files are opened: the first to notice is cut off, from then on the object is named.
      expect((await get('harmed')).status).toBe(1);
      expect(existsSync(join(target, 'f0'))).toBeFalse();
      const refused = await get('harmed');
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain(sha512(SOUND));
      // What has come is either nothing or the truth.
      expect(existsSync(join(target, 'f0'))).toBeFalse();
      const objecttool = [
        ...programCommand('objecttool'),
        '-certDirectory=',
        '-objectServerHostname=127.0.0.1',
        `-objectServerPortNum=${node.port}`,
      ];
      expect(
        (await runProgram([...objecttool, 'get', sha512(SOUND), join(node.directory, 'out')])).status,
      ).toBe(1);
      expect(await get('whole')).toMatchObject({ status: 0, stderr: '' });

      await node.with((client) => upload(client, [SOUND]));
      expect(await get('harmed')).toMatchObject({ status: 0, stderr: '' });
      expect(readFileSync(join(target, 'f0')).equals(SOUND)).toBeTrue();
    },
    60_000,
  );

test('a foreign file among the objects is no object', async () => {
  const node = await Node.start('ours');
  nodes.push(node);
  await node.add('a', [SOUND]);
  await node.stop();
  mkdirSync(join(node.objectDirectory, 'ab', 'cd'), { recursive: true });
  for (const name of ['README', 'ab/notes', 'ab/cd/0123', 'ab/cd/0123~'])
    writeFileSync(join(node.objectDirectory, name), 'text');
  await node.start();
  const metrics = await (await fetch(`http://127.0.0.1:${node.port}/metrics`)).text();
  expect(metrics).toContain('\nimageserver_objects 1\n');
  expect(metrics).toContain('\nimageserver_ready 1\n');
  expect(existsSync(join(node.objectDirectory, 'README'))).toBeTrue();
}, 60_000);
