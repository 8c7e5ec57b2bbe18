/**
 * What the front relies on and the runtime's documentation does not promise: that an accepted socket from which bytes were
 * read and put back can become a TLS connection that shows the client's certificate, and that its descriptor is visible.
 * Also a program of its own, so that the compiled form can be tried.
 */
import { createServer, type Socket } from 'node:net';
import { createSecureContext, type TLSSocket, TLSSocket as TlsSocket, connect as tlsConnect } from 'node:tls';
import { canSendfile } from '../srpc/sendfile.ts';

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
  readonly verified: boolean;
  readonly chainLength: number;
  readonly heardBehindTls: string;
}

function hear(socket: Socket | TLSSocket, enough: number): Promise<string> {
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
  const secureContext = createSecureContext({
    cert: options.serverCert,
    key: options.serverKey,
    ca: options.ca,
  });
  const facts: { -readonly [K in keyof RuntimeFacts]?: RuntimeFacts[K] } = {};
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    facts.descriptor = canSendfile(socket);
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      const secure = new TlsSocket(socket, {
        isServer: true,
        secureContext,
        requestCert: true,
        rejectUnauthorized: false,
      });
      secure.on('secure', () => {
        const peer = secure.getPeerCertificate(true);
        facts.clientName = peer.subject?.CN as string;
        facts.verified = secure.authorized;
        facts.chainLength = peer.issuerCertificate?.raw ? 2 : 1;
        secure.on('data', (data: Buffer) => secure.write(`heard ${data}`));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
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
  server.close();
  return facts as RuntimeFacts;
}

if (import.meta.main) {
  const options = JSON.parse(await Bun.stdin.text()) as RuntimeCheckOptions;
  console.log(JSON.stringify(await checkRuntime(options)));
  process.exit(0);
}
