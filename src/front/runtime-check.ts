/**
 * What the front relies on and the runtime's documentation does not promise: that an accepted socket from which bytes were
 * read can become a TLS connection that shows the client's certificate, and that its descriptor is visible.
 * Also a program of its own, so that the compiled form can be tried.
 */
import {
  createSecureContext,
  type DetailedPeerCertificate,
  type TLSSocket,
  connect as tlsConnect,
} from 'node:tls';
import type { TlsParameters } from '../access/tls.ts';
import { canSendfile } from '../srpc/sendfile.ts';
import { acceptOn } from './accepted-socket.ts';

export interface RuntimeCheckOptions {
  readonly serverCert: string;
  readonly serverKey: string;
  readonly ca: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

/** What should be true; `false` or `undefined` of any of these breaks the front. */
export interface RuntimeFacts {
  readonly descriptor: boolean;
  readonly clientName: string | undefined;
  /** The runtime's record of the session can be had. */
  readonly session: boolean;
  readonly chainLength: number;
  readonly heardBehindTls: string;
}

function hear(socket: TLSSocket, enough: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('error', reject);
    socket.on('data', (chunk: Uint8Array) => {
      text += Buffer.from(chunk).toString('latin1');
      if (text.length >= enough) resolve(text);
    });
    socket.on('close', () => resolve(text));
  });
}

export async function checkRuntime(options: RuntimeCheckOptions): Promise<RuntimeFacts> {
  const { context } = createSecureContext({
    cert: options.serverCert,
    key: options.serverKey,
    ca: options.ca,
  });
  const tls: TlsParameters = {
    secureContext: context,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: Buffer.from('\x08http/1.1', 'latin1'),
  };
  const facts: { -readonly [K in keyof RuntimeFacts]?: RuntimeFacts[K] } = {};
  const listener = acceptOn('127.0.0.1', 0, (socket) => {
    facts.descriptor = canSendfile(socket);
    socket.once('data', async (first: Uint8Array) => {
      await socket.startTls(tls, first, 5_000);
      const peer = socket.getPeerCertificate() as Partial<DetailedPeerCertificate> | undefined;
      facts.clientName = peer?.subject?.CN as string | undefined;
      facts.chainLength = peer?.issuerCertificate?.raw ? 2 : peer?.raw ? 1 : 0;
      facts.session = (socket.getSession()?.length ?? 0) > 0;
      socket.on('data', (data: Uint8Array) => socket.write(Buffer.concat([Buffer.from('heard '), data])));
    });
  });
  const { port } = listener;
  const secure = tlsConnect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    cert: options.clientCert,
    key: options.clientKey,
  });
  secure.write('hello');
  facts.heardBehindTls = await hear(secure, 'heard hello'.length);
  secure.destroy();
  listener.close();
  return facts as RuntimeFacts;
}

if (import.meta.main) {
  const options = JSON.parse(await Bun.stdin.text()) as RuntimeCheckOptions;
  console.log(JSON.stringify(await checkRuntime(options)));
  process.exit(0);
}
