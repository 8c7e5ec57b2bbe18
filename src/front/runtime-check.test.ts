import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificates } from './front-fixture.ts';
import { checkRuntime, type RuntimeCheckOptions } from './runtime-check.ts';

const EXPECTED = {
  descriptor: process.platform === 'linux',
  clientName: 'alice',
  session: true,
  chainLength: 2,
  heardBehindTls: 'heard hello',
};

async function options(): Promise<RuntimeCheckOptions> {
  const { ca, server, alice } = await certificates();
  return {
    serverCert: server.cert,
    serverKey: server.key,
    ca: ca.cert,
    clientCert: alice.cert,
    clientKey: alice.key,
  };
}

test('accepted sockets can be handed on', async () => {
  expect(await checkRuntime(await options())).toEqual(EXPECTED);
});

test('accepted sockets can be handed on in a compiled executable', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'runtime-check-'));
  try {
    const program = join(directory, 'check');
    const source = join(import.meta.dir, 'runtime-check.ts');
    const built = Bun.spawnSync([process.execPath, 'build', '--compile', '--outfile', program, source]);
    expect(built.exitCode).toBe(0);
    const child = Bun.spawn([program], {
      stdin: new Blob([JSON.stringify(await options())]),
      stdout: 'pipe',
    });
    expect(JSON.parse(await new Response(child.stdout).text())).toEqual(EXPECTED);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 60_000);
