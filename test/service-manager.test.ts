/** Under a service manager: what systemd is told and when, and the unit that the program prints. */

import { FFIType, ptr } from 'bun:ffi';
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCLibrary } from '../src/c-library.ts';
import { programCommand, runProgram, startServer } from './server.ts';

const scratch = mkdtempSync(join(tmpdir(), 'service-manager-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const { i32, ptr: pointer, u64, i64 } = FFIType;
const library = openCLibrary({
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, pointer, i32], returns: i32 },
  recv: { args: [i32, pointer, u64, i32], returns: i64 },
  close: { args: [i32], returns: i32 },
});
if (!library) throw new Error('the C library cannot be loaded');
const calls = library.symbols;

/** What systemd does: a socket on which datagrams arrive. */
class Manager {
  readonly #fd = calls.socket(1, 2, 0);
  readonly messages: string[] = [];

  constructor(path: string) {
    const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`);
    const address = Buffer.concat([Buffer.from([1, 0]), name]);
    if (calls.bind(this.#fd, ptr(address), address.length) !== 0) throw new Error(`bind ${path}`);
  }
  #read(): void {
    const buffer = Buffer.alloc(4096);
    for (;;) {
      const length = Number(calls.recv(this.#fd, ptr(buffer), buffer.length, 0x40));
      if (length <= 0) return;
      this.messages.push(buffer.toString('utf8', 0, length));
    }
  }
  /** Resolves when a message matches, with its place; throws after ten seconds. */
  async heard(pattern: RegExp, from = 0): Promise<number> {
    for (const end = performance.now() + 10_000; performance.now() < end; await Bun.sleep(10)) {
      this.#read();
      const at = this.messages.findIndex((message, index) => index >= from && pattern.test(message));
      if (at >= 0) return at;
    }
    throw new Error(`never heard ${pattern}: ${JSON.stringify(this.messages)}`);
  }
  close(): void {
    calls.close(this.#fd);
  }
}

describe('sd_notify', () => {
  for (const path of [join(scratch, 'notify'), `@imageserver-test-${process.pid}`])
    test(path.startsWith('@') ? 'an abstract socket' : 'a socket in the file system', async () => {
      const manager = new Manager(path);
      await using server = await startServer({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '300000' } });
      const ready = await manager.heard(/^READY=1\nSTATUS=./);
      await manager.heard(/^STATUS=Ready$/, ready);
      let at = ready;
      for (let beat = 0; beat < 4; beat++) at = await manager.heard(/^WATCHDOG=1$/, at + 1);
      expect(manager.messages.join()).not.toContain('STOPPING');
      expect(await server.stop()).toBe(0);
      await manager.heard(/^STOPPING=1\n/, at);
      manager.close();
    });
  test('the watchdog of somebody else is left alone', async () => {
    const path = join(scratch, 'other');
    const manager = new Manager(path);
    await using server = await startServer({
      env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '100000', WATCHDOG_PID: '1' },
    });
    await manager.heard(/^STATUS=Ready$/);
    await Bun.sleep(400);
    await server.stop();
    await manager.heard(/^STOPPING=1/);
    expect(manager.messages.join()).not.toContain('WATCHDOG');
    manager.close();
  });
  test('a manager that cannot be reached is told of once, and the server runs', async () => {
    const path = join(scratch, 'nobody');
    await using server = await startServer({ env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '20000' } });
    await Bun.sleep(200);
    expect(server.stderr().match(/cannot be told/g)).toHaveLength(1);
  });
});

describe('the unit', () => {
  const unit = (...args: string[]) => runProgram([...programCommand('imageserver'), 'unit', ...args]);
  test('names what it was told, and nothing that is the default', async () => {
    const { status, stdout } = await unit('-executable=/bin/sh', '-imageDir=/srv/my images', '-username=img');
    expect(status).toBe(0);
    const lines = stdout.split('\n');
    expect(lines).toContain('ExecStart=/bin/sh "-imageDir=/srv/my images"');
    expect(lines).toContain('ReadWritePaths="/srv/my images" /var/lib/objectserver /var/log/imageserver');
    expect(lines).toContain('User=img');
  });
  test('is refused for what is not there', async () => {
    expect(await unit('-executable=/nowhere/imageserver')).toMatchObject({ status: 1, stdout: '' });
    expect(await unit('-executable=/bin/sh', '-imageDir=here')).toMatchObject({ status: 1, stdout: '' });
  });
  test.skipIf(!Bun.which('systemd-analyze'))('is sound, says systemd, and well locked up', async () => {
    const { stdout } = await unit('-executable=/bin/sh', '-username=daemon');
    const path = join(scratch, 'imageserver.service');
    writeFileSync(path, stdout);
    const verified = await runProgram(['systemd-analyze', 'verify', '--man=no', path]);
    expect(verified).toEqual({ status: 0, stdout: '', stderr: '' });
    const { stdout: rated } = await runProgram([
      'systemd-analyze',
      'security',
      '--offline=true',
      '--no-pager',
      path,
    ]);
    const exposure = Number(/exposure level for imageserver\.service: ([\d.]+)/.exec(rated)?.[1]);
    expect(exposure).toBeLessThan(2.5);
  });
});
