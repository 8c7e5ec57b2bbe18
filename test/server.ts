/** A daemon under test: its own process, its own directories, port 0, on loopback. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dir, '..');
const compiled = join(root, 'dist', 'imageserver');

/** How to call a program of ours: from source, or the compiled executable (what ships) where it has been built. */
export function programCommand(
  program: 'imageserver' | 'imagetool' | 'objecttool',
  fromSource = false,
): string[] {
  return !fromSource && existsSync(compiled)
    ? [compiled, program]
    : [process.execPath, join(root, 'src', 'main.ts'), program];
}

export interface TestServer {
  readonly port: number;
  readonly pid: number;
  /** Holds `images`, `objects` and `logs`. */
  readonly directory: string;
  /** What it wrote to stderr so far. */
  readonly stderr: () => string;
  readonly url: string;
  /** SIGTERM; resolves with the exit status. Keeps the directories. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<number>;
  /** Stops and removes the directories. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface TestServerOptions {
  readonly directory?: string;
  readonly args?: readonly string[];
  readonly fromSource?: boolean;
  readonly env?: Record<string, string>;
  /** What the command line is prefixed with; must leave the process id the server's. */
  readonly wrap?: readonly string[];
}

/** Starts the daemon and waits until it is ready; throws with its stderr if it ends before. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'imageserver-test-'));
  for (const name of ['images', 'objects', 'logs']) mkdirSync(join(directory, name), { recursive: true });
  const child = Bun.spawn(
    [
      ...(options.wrap ?? []),
      ...programCommand('imageserver', options.fromSource),
      '-portNum=0',
      '-listenAddress=127.0.0.1',
      '-allowRoot',
      '-permitInsecureMode',
      '-CAfile=',
      `-imageDir=${join(directory, 'images')}`,
      `-objectDir=${join(directory, 'objects')}`,
      `-logDir=${join(directory, 'logs')}`,
      '-alsoLogToStderr',
      ...(options.args ?? []),
    ],
    { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', env: { ...process.env, ...options.env } },
  );
  let text = '';
  const ready = Promise.withResolvers<number>();
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      text += decoder.decode(chunk, { stream: true });
      const match = /Ready on \S+:(\d+)/.exec(text);
      if (match) ready.resolve(Number(match[1]));
    }
    ready.reject(new Error(`the server ended before it was ready:\n${text}`));
  })();
  const port = await ready.promise;
  const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
    child.kill(signal);
    await reading;
    return child.exited;
  };
  return {
    port,
    pid: child.pid,
    directory,
    stderr: () => text,
    url: `http://127.0.0.1:${port}`,
    stop,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Runs a program to its end. */
export async function runProgram(
  command: readonly string[],
  options: { stdin?: string; env?: Record<string, string>; cwd?: string } = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([...command], {
    stdin: options.stdin === undefined ? 'ignore' : new Blob([options.stdin]),
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, ...options.env },
    ...(options.cwd ? { cwd: options.cwd } : {}),
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}
