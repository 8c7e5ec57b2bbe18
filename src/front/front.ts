/**
 * The one port: accepts, looks at the first bytes and hands the socket on. CONNECT is SRPC, anything else HTTP. Every
 * connection has a deadline for its first bytes, and there are only so many, in all and for each peer.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type Identity, INSECURE } from '../access/identity.ts';
import type { CoderName } from '../srpc/coder.ts';
import { CONNECTED, endpointOf, MAX_CONNECT, parseConnect, refusal, refusedStatus } from './handshake.ts';
import { createHttpAdapter, type HttpHandler } from './http-adapter.ts';

export interface FrontLimits {
  /** Connections in all. */
  readonly connections: number;
  readonly connectionsPerPeer: number;
  /** Milliseconds until the first bytes must tell what the connection is. */
  readonly firstBytesMs: number;
}
export const DEFAULT_LIMITS: FrontLimits = {
  connections: 10_000,
  connectionsPerPeer: 2_000,
  firstBytesMs: 15_000,
};

/** An SRPC connection whose handshake is over. */
export interface SrpcConnection {
  readonly socket: Socket;
  readonly coder: CoderName;
  readonly identity: Identity;
  readonly plain: boolean;
  readonly peer: string;
  /** Bytes that came along with the handshake. */
  readonly initial: Uint8Array;
}

export interface FrontOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly limits?: Partial<FrontLimits>;
  readonly onSrpc: (connection: SrpcConnection) => Promise<void>;
  readonly onHttp: HttpHandler;
  readonly log: (line: string) => void;
}

export interface Front {
  readonly port: number;
  readonly connections: () => { open: number; srpc: number; refused: number };
  /** Stops accepting, waits for what is under way until the deadline, then cuts. */
  close(deadlineMs: number): Promise<void>;
}

class PortFront {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #perPeer = new Map<string, number>();
  readonly #http;
  readonly #limits: FrontLimits;
  #srpc = 0;
  #refused = 0;

  constructor(readonly options: FrontOptions) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#http = createHttpAdapter(options.onHttp, options.log);
    // A client may say all it has, close its side and still wait for the answers.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#accept(socket),
    );
  }

  listen(): Promise<Front> {
    const { host, port } = this.options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        const address = this.#server.address() as { port: number };
        resolve({
          port: address.port,
          connections: () => ({ open: this.#open.size, srpc: this.#srpc, refused: this.#refused }),
          close: (deadlineMs) => this.#close(deadlineMs),
        });
      });
    });
  }

  #accept(socket: Socket): void {
    const peer = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    const count = (this.#perPeer.get(peer) ?? 0) + 1;
    socket.on('error', () => socket.destroy());
    if (this.#open.size >= this.#limits.connections || count > this.#limits.connectionsPerPeer) {
      this.#refused++;
      socket.end(refusal(503));
      socket.destroySoon();
      return;
    }
    this.#open.add(socket);
    this.#perPeer.set(peer, count);
    socket.on('close', () => {
      this.#open.delete(socket);
      const left = (this.#perPeer.get(peer) ?? 1) - 1;
      if (left > 0) this.#perPeer.set(peer, left);
      else this.#perPeer.delete(peer);
    });
    this.#sniff(socket, peer);
  }

  #sniff(socket: Socket, peer: string): void {
    let seen: Uint8Array = new Uint8Array(0);
    const deadline = setTimeout(() => socket.destroy(), this.#limits.firstBytesMs);
    const settle = () => {
      clearTimeout(deadline);
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.off('close', settle);
    };
    const onEnd = () => {
      settle();
      socket.destroy();
    };
    const onData = (chunk: Uint8Array) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const start = Buffer.from(seen.subarray(0, 8)).toString('latin1');
      if (!'CONNECT '.startsWith(start)) {
        settle();
        socket.pause();
        socket.unshift(seen);
        this.#http.adopt(socket, { identity: INSECURE, peer, secure: false });
        socket.resume();
        return;
      }
      if (start.length < 8) return;
      const request = parseConnect(seen);
      if (request === undefined && seen.length < MAX_CONNECT) return;
      settle();
      this.#connect(socket, peer, seen, request ?? null);
    };
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('close', settle);
  }

  #connect(
    socket: Socket,
    peer: string,
    seen: Uint8Array,
    request: { path: string; length: number } | null,
  ): void {
    const status = request ? refusedStatus(request.path, { haveTls: false, connectionIsTls: false }) : 400;
    if (!request || status !== undefined) {
      const location = status === 301 ? { location: `${request?.path}/` } : {};
      socket.end(
        refusal(status ?? 400, {
          ...location,
          ...(status === 404 && !endpointOf(request?.path ?? '') ? { body: '404 page not found\n' } : {}),
        }),
      );
      return;
    }
    const endpoint = endpointOf(request.path);
    if (!endpoint) return;
    socket.write(CONNECTED);
    this.#srpc++;
    this.options
      .onSrpc({
        socket,
        coder: endpoint.coder,
        identity: INSECURE,
        plain: true,
        peer,
        initial: seen.subarray(request.length),
      })
      .finally(() => this.#srpc--);
  }

  async #close(deadlineMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#http.close();
    const cut = setTimeout(() => {
      for (const socket of this.#open) socket.destroy();
    }, deadlineMs);
    // Live streams and idle connections never end by themselves.
    for (const socket of this.#open) if (socket.bytesRead === 0) socket.destroy();
    await closed;
    clearTimeout(cut);
  }
}

/** Opens the port. Rejects with the system's error if it cannot. */
export function listenFront(options: FrontOptions): Promise<Front> {
  return new PortFront(options).listen();
}
