/**
 * The original's agent on a throw-away directory: a machine of which snapshots can be taken. Tools find it on a fixed port;
 * its mounts stay in a namespace of their own, and it is told to change nothing.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PEER_DIRECTORY } from './replication-lab.ts';
import { runProgram } from './server.ts';
import { canMount, makeTree } from './tool-tree.ts';

const PORT = 6969;
const PROGRAM = join(PEER_DIRECTORY, 'bin', 'subd');
const PATIENCE_MS = 30_000;

function portIsFree(): boolean {
  try {
    Bun.listen({ hostname: '0.0.0.0', port: PORT, socket: { data: () => undefined } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

/** It needs root, mounts and its port. */
export const canRunSub = PEER_DIRECTORY !== '' && canMount && portIsFree();

export class Sub {
  constructor(readonly child: Bun.Subprocess) {}

  /** Makes the tree, starts the agent and waits until it has scanned it. */
  static async start(directory: string): Promise<Sub> {
    const root = join(directory, 'root');
    makeTree(root);
    // Contents that no server has: they must come from the agent.
    writeFileSync(join(root, 'usr/small'), 'only on this machine\n');
    writeFileSync(join(root, 'usr/big'), Buffer.alloc(9 * 1024 * 1024, 'only here'));
    const child = Bun.spawn(
      [
        ...['unshare', '-m', '--propagation', 'private', PROGRAM],
        ...['-CAfile=', '-permitInsecureMode', '-readOnly', '-disableUpdates', '-disableTriggers'],
        `-rootDir=${root}`,
        `-logDir=${join(directory, 'logs')}`,
        `-pidfile=${join(directory, 'pid')}`,
        `-configDirectory=${join(directory, 'none')}`,
        // It cannot measure every disk.
        ...['-rootDeviceBytesPerSecond=200MiB', '-defaultScanSpeedPercent=100', '-defaultCpuPercent=100'],
      ],
      { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' },
    );
    const sub = new Sub(child);
    const tool = [join(PEER_DIRECTORY, 'bin', 'imagetool'), '-certDirectory=', 'show', 's:127.0.0.1'];
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const { stdout, stderr } = await runProgram(tool);
      if (stdout.includes('/etc/hostname')) return sub;
      if (child.exitCode === null && Date.now() < end) {
        await Bun.sleep(100);
        continue;
      }
      await sub.stop();
      throw new Error(`no snapshot: ${stderr}`);
    }
  }

  async stop(): Promise<void> {
    this.child.kill();
    await this.child.exited;
  }
}
