/** A front with TLS files made on the fly and the fake methods of the SRPC tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Made, makeAuthority, makeClient } from '../access/certificates-fixture.ts';
import { decide } from '../access/decision.ts';
import { openTlsServer, type TlsServer } from '../access/tls.ts';
import type { Method } from '../methods/method.ts';
import { fakeMethods, NO_SERVICES } from '../srpc/fixture.ts';
import { serveSrpc } from '../srpc/server.ts';
import { listenFront } from './front.ts';
import type { Front, FrontOptions, RefusedPeer } from './front-options.ts';

export interface Certificates {
  readonly ca: Made;
  readonly strangeCa: Made;
  readonly server: Made;
  /** May call everything of the fake service. */
  readonly alice: Made;
  /** Known, but grants nothing. */
  readonly bob: Made;
  /** Of another CA. */
  readonly mallory: Made;
  readonly anyUsage: Made;
}

let made: Promise<Certificates> | undefined;

/** Made once a run. */
export function certificates(): Promise<Certificates> {
  made ??= (async () => {
    const [ca, strangeCa] = await Promise.all([makeAuthority('Test CA'), makeAuthority('Strange CA')]);
    const [server, alice, bob, mallory, anyUsage] = await Promise.all([
      makeClient('server', ca, { usages: ['server', 'client'], hosts: ['localhost', '127.0.0.1'] }),
      makeClient('alice', ca, { methods: ['Fake.*'] }),
      makeClient('bob', ca),
      makeClient('mallory', strangeCa, { methods: ['Fake.*'] }),
      makeClient('any', ca, { methods: ['Fake.*'], usages: ['any'] }),
    ]);
    return { ca, strangeCa, server, alice, bob, mallory, anyUsage };
  })();
  return made;
}

export async function makeTlsServer(log: (line: string) => void): Promise<TlsServer> {
  const { ca, server } = await certificates();
  const directory = mkdtempSync(join(tmpdir(), 'front-test-'));
  const put = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  try {
    return openTlsServer({
      files: {
        certFile: put('cert.pem', server.cert),
        keyFile: put('key.pem', server.key),
        caFile: put('CA.pem', ca.cert),
        identityCaFile: '',
      },
      log,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export interface TestFront extends AsyncDisposable {
  readonly front: Front;
  readonly port: number;
  readonly log: string[];
  readonly refused: RefusedPeer[];
}

export async function startFront(
  options: Partial<FrontOptions> & { secure?: boolean; methods?: ReadonlyMap<string, Method> } = {},
): Promise<TestFront> {
  const log: string[] = [];
  const refused: RefusedPeer[] = [];
  const write = (line: string) => {
    log.push(line);
  };
  const tls = options.secure ? await makeTlsServer(write) : undefined;
  const methods = options.methods ?? fakeMethods();
  const front = await listenFront({
    host: '127.0.0.1',
    port: 0,
    tls,
    onSrpc: (connection) =>
      serveSrpc(connection.socket, {
        ...connection,
        services: NO_SERVICES,
        methods,
        decide: (identity, method) => decide(identity, method, { allowUnauthenticatedReads: false }),
        log: write,
      }),
    onHttp: async (request, { identity, secure, refused: reason }) =>
      new Response(
        `${request.method} ${new URL(request.url).pathname} ${identity.user || 'nobody'} ${secure}${reason ? ` refused: ${reason}` : ''}`,
      ),
    onRefused: (peer) => refused.push(peer),
    log: write,
    ...options,
  });
  return {
    front,
    port: front.port,
    log,
    refused,
    async [Symbol.asyncDispose]() {
      tls?.close();
      await front.close(0);
    },
  };
}
