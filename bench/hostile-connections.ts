/**
 * What peers who mean no good do to others: half-open connections, slow and garbage handshakes, oversized records, resets
 * at every stage, dripped method lines. Prints the latency of a well-behaved client during each, and descriptors and
 * memory of the server before and after. `bun run bench/hostile-connections.ts [connections]`
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSrpc } from '../src/srpc/client.ts';
import { CheckImageRequest, CheckImageResponse } from '../src/wire/messages/imageserver.ts';
import { administer, readPair, startInstalled } from '../test/access-lab.ts';
import { ATTACKS, type Attack } from '../test/hostile-peers.ts';

const PHASE_MS = 6_000;

async function attack(): Promise<void> {
  const [, , , name = '', text = ''] = process.argv;
  await ATTACKS[name]?.(JSON.parse(text));
  process.exit(0);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const quantile = (sorted: readonly number[], share: number) =>
  sorted[Math.floor(sorted.length * share)] ?? Number.NaN;

async function measure(): Promise<void> {
  const count = Number(process.argv[2] ?? 1000);
  const scratch = mkdtempSync(join(tmpdir(), 'hostile-'));
  const root = join(scratch, 'root');
  const users = join(scratch, 'users');
  await administer(root, 'init');
  await administer(root, 'certificate', '-user=alice', `-output=${users}`);
  const pair = readPair(users, 'alice');
  const server = await startInstalled(
    root,
    '-firstBytesTimeout=4s',
    '-tlsHandshakeTimeout=4s',
    '-methodLineTimeout=4s',
  );
  const { port, pid } = server;
  const state = () => {
    const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
    return { fds: readdirSync(`/proc/${pid}/fd`).length, rss: Math.round(rss) };
  };
  const dial = () => connectSrpc({ host: '127.0.0.1', port, tls: { pairs: [pair] } });
  const steady = await dial();

  /** Latency of calls on a standing connection, and of new connections, until `done` resolves. */
  async function observe(name: string, done: Promise<unknown>): Promise<void> {
    let over = false;
    done.then(() => {
      over = true;
    });
    const calls: number[] = [];
    const dials: number[] = [];
    let most = state();
    while (!over) {
      for (let call = 0; call < 20; call++) {
        const start = performance.now();
        await steady.call('ImageServer.CheckImage', CheckImageRequest, CheckImageResponse, {
          ImageName: 'x',
        });
        calls.push(performance.now() - start);
      }
      const start = performance.now();
      (await dial()).close();
      dials.push(performance.now() - start);
      const now = state();
      if (now.fds > most.fds) most = now;
      await pause(20);
    }
    calls.sort((a, b) => a - b);
    dials.sort((a, b) => a - b);
    const ms = (value: number) => value.toFixed(2).padStart(8);
    console.log(
      `${name.padEnd(28)} call p50${ms(quantile(calls, 0.5))} p99${ms(quantile(calls, 0.99))} max${ms(calls.at(-1) ?? 0)} ms | ` +
        `new connection p50${ms(quantile(dials, 0.5))} p95${ms(quantile(dials, 0.95))} ms | fds ${String(most.fds).padStart(5)} rss ${state().rss} MB`,
    );
  }

  await observe('warming up', pause(2000));
  const before = state();
  await observe('in peace', pause(PHASE_MS));
  for (const name of Object.keys(ATTACKS)) {
    const plan: Attack = { port, count, pair, until: Date.now() + PHASE_MS };
    const child = Bun.spawn([process.execPath, import.meta.path, 'attack', name, JSON.stringify(plan)], {
      stdout: 'ignore',
      stderr: 'inherit',
    });
    await observe(name, child.exited);
  }
  await pause(6000);
  Bun.gc(true);
  await observe('in peace again', pause(PHASE_MS));
  console.log('before', before, 'after', state());
  const refusals = server
    .stderr()
    .split('\n')
    .filter((line) => /Refused|handshake|refused connections/.test(line)).length;
  console.log(`${refusals} lines about refused connections in the log, of ${server.stderr().length} bytes`);
  steady.close();
  await server[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
}

if (process.argv[2] === 'attack') await attack();
else await measure();
