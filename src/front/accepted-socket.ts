/**
 * Accepted connections, on the runtime's own sockets: node:net would cost as much for each as everything else that is
 * done for a small call. Such a connection can become TLS at any time, for which the runtime has no documented way that
 * gives back what was read already; runtime-check.ts tells whether this one works.
 */
import { EventEmitter } from 'node:events';
import type { PeerCertificate } from 'node:tls';
import type { TlsParameters } from '../access/tls.ts';
import type { PeerSocket } from '../srpc/peer-socket.ts';

type Socket = Bun.Socket<AcceptedSocket>;
type Handler = Bun.SocketHandler<AcceptedSocket, 'buffer'>;

/** What the runtime's sockets have beyond its type declarations. */
interface Undeclared {
  readonly fd: number;
  getPeerCertificate(abbreviated: boolean): PeerCertificate | undefined;
  getSession(): Uint8Array | undefined;
  isSessionReused(): boolean;
  upgradeTLS(options: {
    data: AcceptedSocket;
    socket: Handler;
    isServer: true;
    tls: TlsParameters;
    /** Bytes of the TLS stream that were read already. */
    initialData?: Uint8Array;
  }): [raw: Socket, secure: Socket];
}
type Handle = Omit<Socket, keyof Undeclared> & Undeclared;

interface Waiting {
  data: Uint8Array;
  readonly taken: (() => void) | undefined;
}

/**
 * Events: `data`, `end` (the peer will say no more), `drain` (everything written was taken), `error`, `close`. A connection
 * stays half open until both sides have ended. Errors that nobody listens to only close it.
 */
export class AcceptedSocket extends EventEmitter implements PeerSocket {
  destroyed = false;
  errored: Error | null = null;
  readableEnded = false;
  writableEnded = false;
  writableLength = 0;
  bytesRead = 0;
  bytesWritten = 0;
  #handle: Handle | undefined;
  #secure = false;
  #paused = false;
  /** Came while nobody wanted to be told. */
  #held: Uint8Array[] = [];
  #endHeld = false;
  #waiting: Waiting[] = [];
  #shaking: PromiseWithResolvers<void> | undefined;

  constructor(
    handle: Bun.Socket<unknown>,
    /** Address as the system tells it. */
    readonly remoteAddress: string,
  ) {
    super();
    this.#handle = handle as unknown as Handle;
  }

  get writableNeedDrain(): boolean {
    return this.writableLength > 0;
  }

  /** Descriptor of a connection without TLS. */
  get descriptor(): number | undefined {
    return this.#secure ? undefined : this.#handle?.fd;
  }

  setKeepAlive(milliseconds: number): void {
    this.#handle?.setKeepAlive(true, milliseconds);
  }

  // Reading.

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#handle?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#handle?.resume();
    this.#tellHeld();
  }

  #tellHeld(): void {
    while (this.#held.length > 0 && !this.#paused && !this.destroyed)
      this.emit('data', this.#held.shift() as Uint8Array);
    if (this.#held.length === 0 && this.#endHeld && !this.#paused) this.#tellEnd();
  }

  #tellEnd(): void {
    if (this.readableEnded || this.destroyed) return;
    this.#endHeld = false;
    this.readableEnded = true;
    this.emit('end');
    if (this.writableEnded && this.writableLength === 0) this.destroy();
  }

  // Writing.

  write(data: Uint8Array, taken?: () => void): boolean {
    const handle = this.#handle;
    if (!handle || this.writableEnded) return false;
    let written = 0;
    if (this.writableLength === 0 && this.#waiting.length === 0) {
      written = handle.write(data);
      if (written === data.length) {
        this.bytesWritten += written;
        if (taken) queueMicrotask(taken);
        return true;
      }
      if (written < 0) return this.#cannotWrite();
      this.bytesWritten += written;
    }
    const rest = written === 0 ? data : data.subarray(written);
    this.#waiting.push({ data: rest, taken });
    this.writableLength += rest.length;
    return false;
  }

  #cannotWrite(): false {
    this.destroy(new Error('the peer has closed the connection'));
    return false;
  }

  end(): void {
    if (this.writableEnded || this.destroyed) return;
    this.writableEnded = true;
    if (this.writableLength === 0) this.#shut();
  }

  #shut(): void {
    if (this.readableEnded) this.destroy();
    else this.#handle?.shutdown();
  }

  #drain(): void {
    const handle = this.#handle;
    if (!handle || this.#waiting.length === 0) return;
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const written = next.data.length === 0 ? 0 : handle.write(next.data);
      if (written < 0) {
        this.#cannotWrite();
        return;
      }
      this.bytesWritten += written;
      this.writableLength -= written;
      if (written < next.data.length) {
        next.data = next.data.subarray(written);
        return;
      }
      this.#waiting.shift();
      next.taken?.();
      if (this.destroyed) return;
    }
    this.emit('drain');
    if (this.writableEnded && !this.destroyed && this.writableLength === 0) this.#shut();
  }

  // Closing.

  destroy(reason?: Error): void {
    if (this.destroyed) return;
    const handle = this.#handle;
    this.#over(reason);
    handle?.close();
    process.nextTick(() => this.#tellClose());
  }

  #over(reason: Error | undefined): void {
    this.destroyed = true;
    this.errored = reason ?? null;
    this.#handle = undefined;
    this.#held = [];
    this.#waiting = [];
    this.writableLength = 0;
    this.#shaking?.reject(reason ?? new Error('the peer closed the connection during the TLS handshake'));
  }

  #tellClose(): void {
    if (this.errored && this.listenerCount('error') > 0) this.emit('error', this.errored);
    this.emit('close');
  }

  /** The system has closed it. What came before is still told. */
  #closed(reason: Error | undefined): void {
    if (this.destroyed) return;
    if (!reason) {
      this.#handle = undefined;
      this.#paused = false;
      this.#endHeld = true;
      this.#tellHeld();
      if (this.destroyed) return;
    }
    this.#over(reason);
    this.#tellClose();
  }

  // TLS.

  /**
   * Makes it TLS, as the server; `seen` is what was read of the TLS stream already, before what came while it was paused.
   * Nothing may wait to be written. Rejects if the peer does not do its part within the time, leaves, or cannot be agreed
   * with; the socket is closed then.
   */
  startTls(tls: TlsParameters, seen: Uint8Array, timeoutMs: number): Promise<void> {
    const handle = this.#handle;
    if (!handle) return Promise.reject(new Error('the connection is closed'));
    const initialData = Buffer.concat([seen, ...this.#held.splice(0)]);
    this.resume();
    const shaking = Promise.withResolvers<void>();
    this.#shaking = shaking;
    const deadline = setTimeout(
      () => this.destroy(new Error(`TLS handshake not done after ${timeoutMs} ms`)),
      timeoutMs,
    );
    this.#secure = true;
    try {
      handle.upgradeTLS({
        data: this,
        socket: SECURE,
        isServer: true,
        tls,
        ...(initialData.length > 0 ? { initialData } : {}),
      });
    } catch (error) {
      this.destroy(error as Error);
    }
    return shaking.promise.finally(() => {
      clearTimeout(deadline);
      this.#shaking = undefined;
    });
  }

  #becomes(secure: Socket): void {
    this.#handle = secure as unknown as Handle;
  }

  /** After `startTls`: as TLSSocket of node:tls tells it, but what is in the certificates is not translated. */
  getPeerCertificate(): PeerCertificate | undefined {
    return this.#handle?.getPeerCertificate(false);
  }
  getSession(): Uint8Array | undefined {
    return this.#handle?.getSession();
  }
  isSessionReused(): boolean {
    return this.#handle?.isSessionReused() ?? false;
  }

  /** What the runtime calls; an exception of a listener must not look like one of the socket. */
  static handlers(secure: boolean): Handler {
    const of = ({ data }: Socket) => (data.#secure === secure ? data : undefined);
    const guarded = (work: () => void) => {
      try {
        work();
      } catch (error) {
        reportError(error);
      }
    };
    return {
      binaryType: 'buffer',
      data(socket, chunk) {
        const self = of(socket);
        if (!self) return;
        self.bytesRead += chunk.length;
        if (self.#paused) self.#held.push(chunk);
        else guarded(() => self.emit('data', chunk));
      },
      drain(socket) {
        const self = of(socket);
        if (self) guarded(() => self.#drain());
      },
      end(socket) {
        const self = of(socket);
        if (!self) return;
        self.#endHeld = true;
        guarded(() => self.#tellHeld());
      },
      close(socket, error) {
        const self = of(socket);
        if (self) guarded(() => self.#closed(error));
      },
      error(socket, error) {
        of(socket)?.destroy(error);
      },
      handshake(socket, success, error) {
        const self = socket.data;
        if (success) self.#shaking?.resolve();
        else self.destroy(error ?? new Error('TLS handshake failed'));
      },
      ...(secure ? { open: (socket: Socket) => socket.data.#becomes(socket) } : {}),
    };
  }
}

const PLAIN = AcceptedSocket.handlers(false);
const SECURE = AcceptedSocket.handlers(true);

export interface AcceptingPort {
  readonly port: number;
  /** No more connections are accepted; those that are open stay. */
  close(): void;
}

/**
 * Opens a port: `host` empty = all addresses, `port` 0 = any free one. Throws the system's error. `onSocket` is called for
 * every connection and must begin to listen to it before it returns.
 */
export function acceptOn(
  host: string,
  port: number,
  onSocket: (socket: AcceptedSocket) => void,
): AcceptingPort {
  if (host !== '') return listen(host, port, onSocket);
  try {
    return listen('::', port, onSocket);
  } catch (error) {
    if (!NO_IPV6.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return listen('0.0.0.0', port, onSocket);
  }
}

/** What a machine without IPv6 says. */
const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

function listen(host: string, port: number, onSocket: (socket: AcceptedSocket) => void): AcceptingPort {
  const listener = Bun.listen<AcceptedSocket>({
    hostname: host,
    port,
    allowHalfOpen: true,
    socket: {
      ...PLAIN,
      open(socket) {
        // Not there if the peer has gone before it was accepted.
        const { remoteAddress } = socket as { readonly remoteAddress?: string };
        const accepted = new AcceptedSocket(socket, remoteAddress ?? '');
        socket.data = accepted;
        if (remoteAddress === undefined) {
          accepted.destroy();
          return;
        }
        socket.setNoDelay(true);
        try {
          onSocket(accepted);
        } catch (error) {
          accepted.destroy();
          reportError(error);
        }
      },
    },
  });
  return { port: listener.port, close: () => listener.stop() };
}
