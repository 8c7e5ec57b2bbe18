/** Servers with TLS for tests: on the recorded certificates, or on an installation that `init` made. */
import { readFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { programCommand, runProgram, startServer, type TestServer } from './server.ts';
import { vectorsPath } from './vectors.ts';

export interface Granted {
  readonly granted: readonly string[];
  readonly denied: readonly string[];
}
/** What the original was seen to let a client do. */
export type Outcome = Granted | 'dropped-after-handshake' | 'certificate-rejected';
export type Configuration = 'withIdentityCA' | 'fullCAOnly';

const certificates = (...parts: string[]) => vectorsPath('certs', ...parts);

export function recordedOutcomes(): Record<Configuration, Record<string, Outcome>> {
  return JSON.parse(readFileSync(certificates('authz.json'), 'utf8')).results;
}

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export function readPair(directory: string, name: string): Pair {
  const read = (kind: string) => readFileSync(join(directory, `${name}.${kind}`), 'utf8');
  return { cert: read('cert'), key: read('key') };
}
export const recordedDirectory = (name: string) => certificates('clients', name);
export const recordedPair = (name: string) => readPair(recordedDirectory(name), name);

/** Flags of a server, ours or the original, on the recorded certificates. */
export function recordedFlags(configuration: Configuration = 'withIdentityCA'): string[] {
  return [
    '-permitInsecureMode=false',
    `-CAfile=${certificates('CA.pem')}`,
    `-identityCAfile=${configuration === 'withIdentityCA' ? certificates('IdentityCA.pem') : ''}`,
    `-certFile=${certificates('server', 'cert.pem')}`,
    `-keyFile=${certificates('server', 'key.pem')}`,
  ];
}

/** A server that requires TLS, on the recorded certificates. */
export function startRecorded(configuration: Configuration): Promise<TestServer> {
  return startServer({ args: recordedFlags(configuration) });
}

/** Runs `imageserver init` or `imageserver certificate` under `root`; throws with its words if it fails. */
export async function administer(root: string, command: string, ...args: string[]): Promise<string> {
  const line = [...programCommand('imageserver'), command, `-root=${root}`, ...args];
  const { status, stdout, stderr } = await runProgram(line);
  if (status !== 0) throw new Error(`${command}: status ${status}\n${stderr}`);
  return stdout;
}

/** Where `init` puts things. */
export function places(root: string) {
  const ssl = join(root, 'etc', 'ssl');
  return {
    ca: join(ssl, 'CA.pem'),
    caKey: join(ssl, 'private', 'CA.key'),
    cert: join(ssl, 'imageserver', 'cert.pem'),
    key: join(ssl, 'imageserver', 'key.pem'),
  };
}

/** Flags of a server on what `init` made under `root`. */
export function installedFlags(root: string): string[] {
  const { ca, cert, key } = places(root);
  return [
    '-permitInsecureMode=false',
    `-CAfile=${ca}`,
    '-identityCAfile=',
    `-certFile=${cert}`,
    `-keyFile=${key}`,
  ];
}

/** A server on what `init` made under `root`. */
export function startInstalled(root: string, ...args: string[]): Promise<TestServer> {
  return startServer({ args: [...installedFlags(root), ...args] });
}

export interface HttpsAnswer {
  readonly status: number;
  readonly body: string;
}

/** One request on a connection of its own; the body of an answer that never ends is not waited for. */
export function askHttps(
  port: number,
  path: string,
  options: Partial<Pair> & Pick<RequestOptions, 'method' | 'headers' | 'ca'> & { body?: string } = {},
): Promise<HttpsAnswer> {
  const { body = '', ...rest } = options;
  const { promise, resolve, reject } = Promise.withResolvers<HttpsAnswer>();
  const asked = request(
    { host: '127.0.0.1', port, path, agent: false, rejectUnauthorized: options.ca !== undefined, ...rest },
    (answer) => {
      const status = answer.statusCode ?? 0;
      let text = '';
      if (status < 300) {
        resolve({ status, body: '' });
        asked.destroy();
        return;
      }
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status, body: text }));
    },
  );
  asked.on('error', reject);
  asked.end(body);
  return promise;
}

/** A connection to an endpoint with TLS inside of CONNECT, without any client of ours: lines go in, lines come out. */
export class LineConnection {
  #heard = '';
  #ended = false;
  #wake: (() => void) | undefined;

  private constructor(readonly socket: TLSSocket) {
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#heard += text;
      this.#wake?.();
    });
    const end = () => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  }

  static open(port: number, path: string, pair: Partial<Pair>): Promise<LineConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<LineConnection>();
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(`CONNECT ${path} HTTP/1.0\n\n`));
    socket.on('error', reject);
    socket.once('data', (answer) => {
      if (!answer.toString().startsWith('HTTP/1.0 200 ')) reject(new Error(answer.toString()));
      const secure = tlsConnect({ socket, ...pair, rejectUnauthorized: false }, () =>
        resolve(new LineConnection(secure)),
      );
      secure.on('error', reject);
      secure.on('close', () => socket.destroy());
    });
    return promise;
  }

  /** Says a line; the line that is answered, undefined if the server closed instead. */
  async ask(line: string): Promise<string | undefined> {
    this.socket.write(`${line}\n`);
    for (;;) {
      const end = this.#heard.indexOf('\n');
      if (end >= 0) {
        const answer = this.#heard.slice(0, end);
        this.#heard = this.#heard.slice(end + 1);
        return answer;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
  close(): void {
    this.socket.destroy();
  }
}
