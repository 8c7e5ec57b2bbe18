/**
 * TLS of the one port: the newest certificate and CA files for every new connection, and who the peer is. The runtime's own verdict on client certificates is not used (see verify.ts): `authorize` decides,
 * before anything is read.
 */
import { type Authorization, Authorizer, type TlsPeer } from './authorize.ts';
import { type CertificateStatus, certificateStatus, expiryWarning } from './certificate-status.ts';
import { watchFiles } from './file-watch.ts';
import { type KeyPair, type LoadedTls, loadTls, type TlsFiles } from './tls-files.ts';

export interface TlsServer {
  /** What a handshake begun now goes by: TLS 1.2 or 1.3, and whoever has a certificate shall show it. */
  parameters(): TlsParameters;
  /** To be asked right after the handshake. Without a certificate: refused if `required`, else a stranger. */
  authorize(peer: TlsPeer, options: { readonly required: boolean }): Authorization;
  /** Reads the files again (SIGHUP). False: something is wrong with them; it was logged and the old ones stay. */
  reload(): boolean;
  certificateStatus(now?: number): readonly CertificateStatus[];
  /** What the log was told about certificates that end soon; empty if all is well. */
  warnings(): readonly string[];
  /** The server's certificate and key, which are also its client certificate towards a master. */
  pair(): KeyPair;
  /** Stops watching the files. */
  close(): void;
}

/** As the runtime's sockets take them. */
export interface TlsParameters {
  readonly secureContext: unknown;
  readonly requestCert: true;
  readonly rejectUnauthorized: false;
  /** Each with its length before it. */
  readonly ALPNProtocols: Buffer;
}

export interface TlsOptions {
  readonly files: TlsFiles;
  readonly log: (line: string) => void;
}

const DAY = 86_400_000;
const PROTOCOL = 'http/1.1';

function parametersOf({ context }: LoadedTls): TlsParameters {
  return {
    secureContext: context.context,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: Buffer.from(`${String.fromCharCode(PROTOCOL.length)}${PROTOCOL}`, 'latin1'),
  };
}

class Server implements TlsServer {
  #loaded: LoadedTls;
  #parameters: TlsParameters;
  #authorizer: Authorizer;
  readonly #unwatch: () => void;
  readonly #daily: NodeJS.Timeout;

  constructor(readonly options: TlsOptions) {
    const { files } = options;
    this.#loaded = loadTls(files, (line) => this.#skipped(line));
    this.#parameters = parametersOf(this.#loaded);
    this.#authorizer = new Authorizer(this.#loaded.trust);
    const paths = [files.certFile, files.keyFile, files.caFile, files.identityCaFile];
    this.#unwatch = watchFiles(
      paths.filter((path) => path !== ''),
      () => this.reload(),
    );
    this.#daily = setInterval(() => this.#warn(), DAY);
    this.#daily.unref();
    this.#warn();
  }

  parameters(): TlsParameters {
    return this.#parameters;
  }

  authorize(peer: TlsPeer, options: { readonly required: boolean }): Authorization {
    return this.#authorizer.authorize(peer, options.required);
  }

  reload(): boolean {
    const { log, files } = this.options;
    try {
      this.#loaded = loadTls(files, (line) => this.#skipped(line));
      this.#parameters = parametersOf(this.#loaded);
      this.#authorizer = new Authorizer(this.#loaded.trust);
    } catch (error) {
      log(`Certificates not reloaded, the ones loaded before stay in use: ${(error as Error).message}`);
      return false;
    }
    const [leaf] = this.#loaded.chain;
    const until = new Date(leaf?.notAfter ?? 0).toISOString().slice(0, 10);
    log(`Certificates reloaded: "${leaf?.commonName}" serial ${leaf?.serial} until ${until}`);
    this.#warn();
    return true;
  }

  certificateStatus(now = Date.now()): readonly CertificateStatus[] {
    return certificateStatus(this.#loaded, now);
  }

  pair(): KeyPair {
    return this.#loaded.pair;
  }

  close(): void {
    this.#unwatch();
    clearInterval(this.#daily);
  }

  warnings(): string[] {
    const now = Date.now();
    return this.certificateStatus(now)
      .map((status) => expiryWarning(status, now))
      .filter((line) => line !== undefined);
  }

  #skipped(line: string): void {
    this.options.log(`WARNING: ${line}`);
  }

  #warn(): void {
    for (const line of this.warnings()) this.options.log(`WARNING: ${line}`);
  }
}

/** Loads the files and watches them. Throws UNAVAILABLE with the original's texts if they cannot be used. */
export function openTlsServer(options: TlsOptions): TlsServer {
  return new Server(options);
}
