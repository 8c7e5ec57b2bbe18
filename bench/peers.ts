/**
 * The servers that a benchmark measures: ours, and any other whose command is given. What they cost is the CPU of their
 * process (user + system), so the work of the client beside them does not count.
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueCertificate } from '../src/access/issue.ts';
import { type ClientTlsOptions, connectSrpc, type SrpcClient } from '../src/srpc/client.ts';
import { freePort } from '../test/replication-lab.ts';
import { startServer } from '../test/server.ts';
import { resident } from './resident.ts';

interface Started {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Certificates for a server and a client that may do everything. */
export interface BenchCertificates {
  /** Server flags that name the files. */
  readonly flags: readonly string[];
  readonly tls: ClientTlsOptions;
}

/** Makes the files in the directory, readable by everybody: the other server may be another user. */
export async function makeCertificates(directory: string, key: 'ecdsa' | 'rsa'): Promise<BenchCertificates> {
  const day = 86_400_000;
  const validity = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day), key };
  const authority = await issueCertificate({ commonName: 'Bench CA', ca: {}, ...validity });
  const server = await issueCertificate(
    { commonName: 'localhost', usages: ['server', 'client'], hosts: ['127.0.0.1'], ...validity },
    authority,
  );
  const client = await issueCertificate(
    { commonName: 'bench', usages: ['client'], methods: ['ImageServer.*', 'ObjectServer.*'], ...validity },
    authority,
  );
  const file = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o644 });
    return path;
  };
  return {
    flags: [
      `-CAfile=${file('CA.pem', authority.cert)}`,
      `-certFile=${file('cert.pem', server.cert)}`,
      `-keyFile=${file('key.pem', server.key)}`,
    ],
    tls: { pairs: [{ cert: client.cert, key: client.key }] },
  };
}

function readStat(pid: number): string[] | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return fields[0] === 'Z' ? undefined : fields;
  } catch {
    return undefined;
  }
}

async function startOurs(directory: string, flags: readonly string[]): Promise<Started> {
  const server = await startServer({
    directory,
    args: ['-trashGracePeriod=0s', '-objectGracePeriod=0s', '-shutdownTimeout=1s', ...flags],
  });
  return { port: server.port, pid: server.pid, stop: async () => void (await server.stop()) };
}

async function startOther(command: string, directory: string, flags: readonly string[]): Promise<Started> {
  const port = await freePort();
  const line = command
    .replaceAll('{port}', String(port))
    .replaceAll('{dir}', directory)
    .replaceAll('{flags}', flags.join(' '));
  const child = Bun.spawn(['sh', '-c', line], { stdout: 'pipe', stderr: 'inherit' });
  const pid = Number((await new Response(child.stdout).text()).trim());
  if (!pid) throw new Error(`no process id from: ${line}`);
  return {
    port,
    pid,
    async stop() {
      process.kill(pid, 'SIGTERM');
      while (readStat(pid)) await Bun.sleep(20);
    },
  };
}

/** A server under measurement; it keeps its directory over restarts. */
export class Peer {
  #started: Started | undefined;
  #client: SrpcClient | undefined;
  readonly directory: string;

  /** `command` of another server: see `server.ts`; empty for ours. */
  constructor(
    readonly name: string,
    readonly command: string,
    scratch = tmpdir(),
  ) {
    this.directory = mkdtempSync(join(scratch || tmpdir(), 'bench-'));
    chmodSync(this.directory, 0o777);
  }

  async start(certificates?: BenchCertificates): Promise<void> {
    const flags = certificates?.flags ?? [];
    this.#started = this.command
      ? await startOther(this.command, this.directory, flags)
      : await startOurs(this.directory, flags);
    this.#client = await this.dial(certificates?.tls);
  }
  async stop(): Promise<void> {
    this.#client?.close();
    await this.#started?.stop();
    this.#started = undefined;
  }
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get client(): SrpcClient {
    if (!this.#client) throw new Error('not started');
    return this.#client;
  }
  get pid(): number {
    return this.#started?.pid ?? 0;
  }
  get port(): number {
    return this.#started?.port ?? 0;
  }
  dial(tls?: ClientTlsOptions): Promise<SrpcClient> {
    return connectSrpc({ host: '127.0.0.1', port: this.port, tls });
  }

  /** Milliseconds of CPU so far, to the scheduler's precision. */
  cpu(): number {
    const { pid } = this.#started as Started;
    let total = 0;
    for (const task of readdirSync(`/proc/${pid}/task`))
      try {
        total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
      } catch {
        // The thread has ended meanwhile.
      }
    return total / 1e6;
  }
  /** Resident memory, MiB. */
  memory(): number {
    return resident((this.#started as Started).pid);
  }
}
