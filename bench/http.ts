/**
 * HTTP beside nginx and bare Bun.serve, in one run: `bun bench/http.ts [-seconds=5]`. Needs wrk, and nginx if it is to be
 * compared. Prints requests or bytes per CPU-second of the server (all its processes), which other work on the machine
 * disturbs less than rates.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../test/server.ts';

const seconds = Number(process.argv.find((arg) => arg.startsWith('-seconds='))?.slice(9) ?? 5);
const LARGE = 256 * 1024 * 1024;
const SMALL = 4096;
const TICKS = 100;
const directory = mkdtempSync(join(tmpdir(), 'http-bench-'));

interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly health: string;
  readonly small: string;
  readonly large: string;
  stop(): Promise<unknown>;
}

/** A process and its children. */
function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

function cpuSeconds(pid: number): number {
  return family(pid).reduce((sum, one) => {
    const stat = readFileSync(`/proc/${one}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS;
  }, 0);
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };

/** Requests and bytes that wrk got, and the server's CPU time for them. */
async function load(subject: Subject, url: string, connections: number) {
  const run = async (time: number) => {
    const child = Bun.spawn(['wrk', '-t1', `-c${connections}`, `-d${time}s`, url], {
      stdout: 'pipe',
      stderr: 'inherit',
    });
    const text = await new Response(child.stdout).text();
    const match = /(\d+) requests in \S+, ([\d.]+)([KMGT]?B) read/.exec(text);
    if (!match) throw new Error(`wrk says: ${text}`);
    if (/Non-2xx|Socket errors: .*read [1-9]/.test(text))
      console.log(`  ${subject.name}: ${text.match(/Non-2xx.*|Socket.*/)?.[0]}`);
    return { requests: Number(match[1]), bytes: Number(match[2]) * (UNITS[match[3] as string] as number) };
  };
  await run(1);
  const before = cpuSeconds(subject.pid);
  const { requests, bytes } = await run(seconds);
  const cpu = cpuSeconds(subject.pid) - before;
  return {
    perCpu: requests / cpu,
    rate: requests / seconds,
    bytesPerCpu: bytes / cpu,
    byteRate: bytes / seconds,
  };
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>)
    return Buffer.from(chunk).toString().trim();
  throw new Error('the server ended');
}

async function child(
  name: string,
  args: string[],
  paths: Pick<Subject, 'health' | 'small' | 'large'>,
): Promise<Subject> {
  const command = [process.execPath, join(import.meta.dir, 'http-server.ts'), ...args];
  const process_ = Bun.spawn(command, {
    stdout: 'pipe',
    stderr: 'inherit',
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const url = `http://127.0.0.1:${await firstLine(process_.stdout)}`;
  return {
    name,
    pid: process_.pid,
    health: url + paths.health,
    small: url + paths.small,
    large: url + paths.large,
    stop: async () => {
      process_.kill();
      await process_.exited;
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function nginx(): Promise<Subject | undefined> {
  const program = Bun.which('nginx') ?? Bun.which('/usr/sbin/nginx');
  if (!program) return undefined;
  const port = await freePort();
  const root = join(directory, 'nginx');
  mkdirSync(root);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${root}/${name};`,
  );
  writeFileSync(
    join(root, 'nginx.conf'),
    `daemon off; user root; worker_processes 1; pid ${root}/pid; error_log stderr crit; events { worker_connections 1024; }
     http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; ${temp.join(' ')}
     server { listen 127.0.0.1:${port}; root ${directory}/files; location = /healthz { return 200 "OK\\n"; } } }`,
  );
  const process_ = Bun.spawn([program, '-c', join(root, 'nginx.conf'), '-e', join(root, 'error.log')], {
    stdout: 'ignore',
    stderr: 'inherit',
  });
  const url = `http://127.0.0.1:${port}`;
  while (
    !(await fetch(`${url}/healthz`).then(
      () => true,
      () => process_.exitCode !== null,
    ))
  )
    await Bun.sleep(20);
  if (process_.exitCode !== null) return undefined;
  return {
    name: 'nginx',
    pid: process_.pid,
    health: `${url}/healthz`,
    small: `${url}/small`,
    large: `${url}/large`,
    stop: async () => {
      process_.kill();
      await process_.exited;
    },
  };
}

mkdirSync(join(directory, 'files'));
const large = crypto.getRandomValues(new Uint8Array(65536));
const largeBytes = Buffer.alloc(LARGE);
for (let at = 0; at < LARGE; at += large.length) largeBytes.set(large, at);
writeFileSync(join(directory, 'files', 'large'), largeBytes);
writeFileSync(join(directory, 'files', 'small'), largeBytes.subarray(0, SMALL));

const daemon = await startServer({ directory: join(directory, 'data'), args: ['-shutdownTimeout=1s'] });
const put = async (body: Uint8Array) => {
  const response = await fetch(`${daemon.url}/objects`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body,
  });
  return `/objects/${((await response.json()) as { Hash: string }).Hash}`;
};
const paths = {
  health: '/healthz',
  large: await put(largeBytes),
  small: await put(largeBytes.subarray(0, SMALL)),
};
const front: Subject = {
  name: 'imageserver, the one port',
  pid: daemon.pid,
  health: daemon.url + paths.health,
  small: daemon.url + paths.small,
  large: daemon.url + paths.large,
  stop: () => daemon.stop(),
};

const results: Record<string, Record<string, string>> = {};
async function measure(subject: Subject): Promise<void> {
  const health = await load(subject, subject.health, 16);
  const small = await load(subject, subject.small, 16);
  const big = await load(subject, subject.large, 2);
  const cell = (perCpu: number, rate: number) => `${Math.round(perCpu)} (${Math.round(rate)}/s)`;
  const gigabytes = (bytes: number) => (bytes / 2 ** 30).toFixed(2);
  results[subject.name] = {
    '/healthz per CPU-second': cell(health.perCpu, health.rate),
    '4 KiB per CPU-second': cell(small.perCpu, small.rate),
    '256 MiB, GiB per CPU-second': `${gigabytes(big.bytesPerCpu)} (${gigabytes(big.byteRate)} GiB/s)`,
  };
  await subject.stop();
}

try {
  await measure(front);
  // The same directories; the daemon has let go of them.
  const data = join(directory, 'data');
  await measure(
    await child(
      'imageserver, public listener',
      ['public', join(data, 'images'), join(data, 'objects')],
      paths,
    ),
  );
  const files = join(directory, 'files');
  const bare = { health: '/healthz', small: '/small', large: '/large' };
  await measure(await child('bare Bun.serve', ['bare', join(files, 'large'), join(files, 'small')], bare));
  const other = await nginx();
  if (other) await measure(other);
  console.table(results);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exit(0);
