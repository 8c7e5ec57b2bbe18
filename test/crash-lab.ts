/** A server with TLS to be killed or watched, and an administrator's certificate for its clients. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import { administer, installedFlags } from './access-lab.ts';
import { startServer, type TestServer } from './server.ts';

export interface Lab {
  readonly root: string;
  readonly pair: { cert: string; key: string };
  readonly groups: readonly string[];
}

const existingGroups = () =>
  readFileSync('/etc/group', 'utf8')
    .split('\n')
    .map((line) => line.split(':')[0] ?? '')
    .filter((name) => /^[a-z]+$/.test(name))
    .slice(0, 4);

export async function withLab(run: (lab: Lab) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'imageserver-crash-'));
  try {
    await administer(root, 'init');
    await administer(
      root,
      'certificate',
      '-user=tester',
      '-methods=ImageServer.*,ObjectServer.*',
      `-output=${root}`,
    );
    const read = (kind: string) => readFileSync(join(root, `tester.${kind}`), 'utf8');
    await run({ root, pair: { cert: read('cert'), key: read('key') }, groups: existingGroups() });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

export function start(
  { root }: Lab,
  { grace = '10m', wrap = [] as readonly string[] } = {},
): Promise<TestServer> {
  return startServer({
    directory: root,
    wrap,
    args: [
      ...installedFlags(root),
      `-objectGracePeriod=${grace}`,
      '-minFreeBytes=1',
      '-objectServerCleanupStartPercent=99',
    ],
  });
}

export const connectTo = (lab: Lab, server: TestServer): Promise<SrpcClient> =>
  connectSrpc({ host: '127.0.0.1', port: server.port, tls: { pairs: [lab.pair] } });

export async function put(lab: Lab, server: TestServer, hash: string, bytes: Buffer): Promise<void> {
  const { status } = await fetch(`https://127.0.0.1:${server.port}/objects/${hash}`, {
    method: 'PUT',
    body: bytes,
    keepalive: false,
    tls: { ...lab.pair, rejectUnauthorized: false },
  } as RequestInit);
  if (status !== 201 && status !== 200 && status !== 204) throw new Error(`PUT answered ${status}`);
}
