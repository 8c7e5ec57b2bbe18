/**
 * Acknowledged means durable, seen from outside: the system calls of the server are recorded while a client changes
 * everything there is, and at no answer may anything written for it be unsynced. Needs strace; skips without.
 */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ledger, runClient } from './crash-clients.ts';
import { connectTo, put, start, withLab } from './crash-lab.ts';
import { undurableAnswers } from './system-calls.ts';

const CALLS =
  'open,openat,creat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat,truncate,ftruncate,' +
  'write,writev,pwrite64,pwritev,sendto,sendmsg,sendfile,copy_file_range,fsync,fdatasync,syncfs';
/** The process stays the child: the tracer is a grandchild. */
const trace = (file: string) => [
  'strace',
  '-D',
  '-f',
  '-yy',
  '-s',
  '400',
  '-e',
  `trace=${CALLS}`,
  '-o',
  file,
];

function canTrace(): boolean {
  if (!Bun.which('strace')) return false;
  return (
    Bun.spawnSync([...trace('/dev/null'), 'true'], { stdout: 'ignore', stderr: 'ignore' }).exitCode === 0
  );
}

/** The recording is complete when it tells of the end of the server. */
async function finished(file: string, pid: number): Promise<string> {
  for (;;) {
    const text = readFileSync(file, 'utf8');
    if (new RegExp(`^${pid} +\\+\\+\\+ `, 'm').test(text)) return text;
    await Bun.sleep(50);
  }
}

test.skipIf(!canTrace())('nothing is answered before it is durable', () =>
  withLab(async (lab) => {
    const recording = join(lab.root, 'system-calls');
    const server = await start(lab, { wrap: trace(recording) });
    const ledger = new Ledger();
    const running = runClient({
      name: 'c',
      seed: Number(process.env.CRASH_SEED ?? 7),
      ledger,
      client: await connectTo(lab, server),
      put: (hash, bytes) => put(lab, server, hash, bytes),
      groups: lab.groups,
      collect: true,
    });
    const wanted = Number(process.env.DURABILITY_CALLS ?? 60);
    const killed = (async () => {
      while (ledger.calls < wanted && !server.stderr().includes('Stopping')) await Bun.sleep(20);
      await server.stop();
    })();
    await Promise.all([running, killed]);
    const text = await finished(recording, server.pid);
    const data = ['images', 'objects'].map((name) => join(lab.root, name));
    // The index is a cache, and what lies under .tmp is nobody's yet: its contents count where they are renamed to.
    const matters = (path: string) =>
      data.some((directory) => path === directory || path.startsWith(`${directory}/`)) &&
      !/\/\.index(\/|$)|\/\.tmp$|\/\.lock$/.test(path);
    const { answers, syncs, findings } = undurableAnswers(text, server.port, matters);
    if (process.env.DURABILITY_CALLS)
      console.log({ calls: ledger.calls, acknowledged: ledger.acknowledged, answers, syncs });
    expect(findings).toEqual([]);
    expect(answers).toBeGreaterThan(wanted);
    expect(syncs).toBeGreaterThan(wanted);
  }),
);
