/** Images of machines: `adds`, and the sources `s:` and `v:`, with agents and hypervisors that are not the original's. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scanDirectory } from '../src/tool/scan-directory.ts';
import {
  type FakePeer,
  type FakeSub,
  startFakeSub,
  startFleetManager,
  startHypervisor,
} from './fake-machine.ts';
import { expectationsOf, imagetoolCommand } from './imagetool.ts';
import { runProgram, startServer, type TestServer } from './server.ts';
import { makeTree } from './tool-tree.ts';

// Each command is a process of its own.
setDefaultTimeout(60_000);

const directory = mkdtempSync(join(tmpdir(), 'tool-machines-'));
const at = (...parts: string[]) => join(directory, ...parts);
const BIG = 9 * 1024 * 1024;
let server: TestServer;
let sub: FakeSub;
let listing = '';

function tool(...args: string[]) {
  return runProgram(imagetoolCommand(server.port, args), {
    env: { TZ: 'UTC', HOME: directory },
    cwd: directory,
  });
}
const { succeed, fail } = expectationsOf(tool);
const machine = () => `127.0.0.1:${sub.port}`;

beforeAll(async () => {
  server = await startServer({ args: ['-objectGracePeriod=0s', '-trashGracePeriod=0s'] });
  makeTree(at('machine'));
  writeFileSync(at('machine/usr/big'), Buffer.alloc(BIG, 'big'));
  // The name with a newline is the only one of its contents: no agent can be asked for it.
  rmSync(at('machine/odd/a\nb'));
  writeFileSync(at('empty'), '');
  writeFileSync(at('filter'), '/odd/.*\n');
  sub = await startFakeSub(at('machine'));
  listing = await succeed('show', 'd:machine');
  await succeed('mkdir', 'base');
}, 60_000);
afterAll(async () => {
  await sub[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

describe('a running machine', () => {
  test('is listed', async () => expect(await succeed('show', `s:${machine()}`)).toBe(listing));
  test('becomes an image, of which each content is fetched once', async () => {
    await succeed('adds', 'base/whole', machine(), 'empty', '');
    expect(await succeed('show', 'base/whole')).toBe(listing);
    expect(sub.asked.length).toBe(new Set(sub.asked).size);
    expect(sub.asked).toContain('/usr/big');
    expect(await succeed('get-file-in-image', 'base/whole', '/usr/big')).toBe('big'.repeat(BIG / 3));
  });
  test('again: the server has everything', async () => {
    const before = sub.asked.length;
    await succeed('-deleteFilter=filter', 'adds', 'base/again', machine(), '', '');
    expect(sub.asked.length).toBe(before);
    expect(await succeed('-skipFields=l', 'show', 'base/again')).toBe(
      await succeed('-skipFields=l', '-filterFile=filter', 'show', 'd:machine'),
    );
  });
  test('an image that is there stays', () =>
    fail(['adds', 'base/whole', machine(), '', ''], 'Error adding image: "base/whole"\timage exists'));
  test('files that are no longer what was scanned', async () => {
    const changed = await startFakeSub(at('machine'));
    await using _ = changed;
    writeFileSync(at('machine/usr/small'), 'small');
    writeFileSync(at('machine/usr/big2'), Buffer.alloc(BIG, 'b2'));
    writeFileSync(at('machine/usr/fine'), 'fine');
    changed.tree = await scanDirectory(at('machine'));
    writeFileSync(at('machine/usr/small'), 'Small');
    writeFileSync(at('machine/usr/big2'), Buffer.alloc(BIG, 'B2'));
    await fail(
      ['adds', 'base/changed', `127.0.0.1:${changed.port}`, 'empty', ''],
      [
        'Contents for file changed: /usr/big2',
        'Contents for file changed: /usr/small',
        'Error adding image: "base/changed"\tone or more files on the sub changed',
      ].join('\n'),
    );
    expect((await tool('check', 'base/changed')).status).toBe(1);
    for (const name of ['small', 'big2', 'fine']) rmSync(at('machine/usr', name));
  });
  test('a name with a newline', async () => {
    const odd = await startFakeSub(at('machine'));
    await using _ = odd;
    writeFileSync(at('machine/odd/a\nb'), 'only here');
    odd.tree = await scanDirectory(at('machine'));
    await fail(
      ['adds', 'base/odd', `127.0.0.1:${odd.port}`, '', ''],
      'Error adding image: "base/odd"\t"/odd/a\\nb": a name with a newline cannot be asked for (-deleteFilter drops paths)',
    );
    await succeed('-deleteFilter=filter', 'adds', 'base/odd', `127.0.0.1:${odd.port}`, '', '');
    rmSync(at('machine/odd/a\nb'));
  });
  test('that shows its tree to others only', async () => {
    sub.secret = true;
    await fail(
      ['show', `s:${machine()}`],
      'Error showing image: EOF (does the certificate allow Subd.Poll?)',
    );
    sub.secret = false;
  });
  test('that is still scanning, or away', async () => {
    const away = await startFakeSub(at('machine'));
    const name = `127.0.0.1:${away.port}`;
    away.tree = undefined;
    await fail(['show', `s:${name}`], 'Error showing image: no poll data');
    await away[Symbol.asyncDispose]();
    await fail(['show', `s:${name}`], `Error showing image: Error dialing ${name}: connection refused`);
    await fail(
      ['-detailed-exit-codes', 'adds', 'base/away', name, '', ''],
      `Error adding image: "base/away"\tError dialing ${name}: connection refused`,
      6,
    );
  });
});

describe('a virtual machine', () => {
  const ADDRESS = `${'00'.repeat(10)}ffff7f000005`;
  let hypervisor: FakePeer;
  let manager: FakePeer;
  beforeAll(async () => {
    hypervisor = await startHypervisor(ADDRESS, await scanDirectory(at('machine')));
    manager = await startFleetManager(ADDRESS, `127.0.0.1:${hypervisor.port}`);
  });
  afterAll(async () => {
    await hypervisor[Symbol.asyncDispose]();
    await manager[Symbol.asyncDispose]();
  });
  const asked = () => ['-hypervisorHostname=127.0.0.1', `-hypervisorPortNum=${hypervisor.port}`];
  const found = () => ['-fleetManagerHostname=127.0.0.1', `-fleetManagerPortNum=${manager.port}`];

  test('of a hypervisor that is named', async () =>
    expect(await succeed(...asked(), 'show', 'v:127.0.0.5')).toBe(listing));
  test('of one that the fleet manager knows', async () =>
    expect(await succeed(...found(), 'show', 'v:127.0.0.5')).toBe(listing));
  test('of nobody', async () => {
    await fail([...asked(), 'show', 'v:127.0.0.6'], 'Error showing image: no such VM');
    await fail([...asked(), 'show', 'v:1::2:3'], 'Error showing image: no such VM');
    await fail([...found(), 'show', 'v:127.0.0.6'], 'Error showing image: no hypervisor');
    await fail(
      [...asked(), 'show', 'v:no-such-host.invalid'],
      'Error showing image: lookup no-such-host.invalid: no such host',
    );
  });
});
