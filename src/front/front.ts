/**
 * The one port: accepts, looks at the first bytes and hands the connection on. CONNECT is SRPC (plain, or TLS inside),
 * 0x16 is TLS from the first byte (with HTTP or CONNECT inside), anything else is HTTP. Every step before has a deadline,
 * and there are only so many connections, in all and for each peer.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Identity, INSECURE, STRANGER } from '../access/identity.ts';
import type { TlsServer } from '../access/tls.ts';
import { Deadlines } from '../srpc/deadlines.ts';
import { LogThrottle } from '../srpc/log-throttle.ts';
import { type Beginning, onBeginning } from './first-bytes.ts';
import {
  DEFAULT_LIMITS,
  type Front,
  type FrontLimits,
  type FrontOptions,
  type FrontStatistics,
} from './front-options.ts';
import {
  CONNECTED,
  type ConnectRequest,
  type Endpoint,
  endpointOf,
  givesUpPowers,
  type Refusal,
  refusalOf,
  refusalText,
} from './handshake.ts';
import { DEFAULT_HTTP_LIMITS, serveHttp } from './http-connection.ts';
import { peerNetwork } from './peer-network.ts';
import { Turns } from './turns.ts';

const KEEP_ALIVE_MS = 300_000;
/**
 * The runtime cannot send a TLS alert once the handshake is over. A client takes the first line it reads for the answer
 * to its call: with this one it prints what the alert would have made it print.
 */
const BAD_CERTIFICATE = 'remote error: tls: bad certificate\n';
/** A peer that is sent away gets so long to read why. */
const LINGER_MS = 2_000;

/** Who a TLS connection belongs to. */
interface Caller {
  readonly identity: Identity;
  /** May call over SRPC. */
  readonly certified: boolean;
  /** The certificate was looked at and refused. */
  readonly refused?: { readonly reason: string; readonly who: string };
}

class PortFront {
  readonly #server: Server;
  readonly #options: FrontOptions;
  readonly #limits: FrontLimits;
  readonly #open = new Set<Socket>();
  /** Those that have not said what they are, oldest first. */
  readonly #fresh = new Set<Socket>();
  readonly #perPeer = new Map<string, number>();
  readonly #deadlines = new Deadlines();
  readonly #stopping = new AbortController();
  readonly #refusals: LogThrottle;
  readonly #dropped: LogThrottle;
  readonly #handshakes = new Turns();
  #emptied: (() => void) | undefined;
  #srpc = 0;
  #http = 0;
  #accepted = 0;
  #refused = 0;
  #tlsFailures = 0;

  constructor(options: FrontOptions) {
    this.#options = options;
    const { http, ...limits } = options.limits ?? {};
    this.#limits = { ...DEFAULT_LIMITS, ...limits, http: { ...DEFAULT_HTTP_LIMITS, ...http } };
    this.#refusals = new LogThrottle(options.log, 'refused connections');
    this.#dropped = new LogThrottle(options.log, 'dropped peers');
    // A client may say all it has, close its side and still wait for the answers.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  listen(): Promise<Front> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ ...(host === '' ? {} : { host }), port, backlog: 1024 }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#options.log(`listening socket: ${error.message}`));
        const address = this.#server.address() as { port: number };
        resolve({
          port: address.port,
          connections: () => this.#statistics(),
          close: (deadlineMs) => this.#close(deadlineMs),
        });
      });
    });
  }

  #statistics(): FrontStatistics {
    return {
      open: this.#open.size,
      srpc: this.#srpc,
      http: this.#http,
      fresh: this.#fresh.size,
      accepted: this.#accepted,
      refused: this.#refused,
      tlsFailures: this.#tlsFailures,
    };
  }

  #accept(socket: Socket): void {
    const peer = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    socket.on('error', () => socket.destroy());
    const network = peerNetwork(peer);
    const count = (this.#perPeer.get(network) ?? 0) + 1;
    if (count > this.#limits.connectionsPerPeer || !this.#makeRoom()) {
      this.#refused++;
      this.#refusals.write(`Too many connections: refused one from ${peer}`);
      socket.destroy();
      return;
    }
    this.#accepted++;
    this.#open.add(socket);
    this.#fresh.add(socket);
    this.#perPeer.set(network, count);
    socket.on('close', () => {
      this.#open.delete(socket);
      this.#fresh.delete(socket);
      this.#deadlines.clear(socket);
      if (this.#open.size === 0) this.#emptied?.();
      const left = (this.#perPeer.get(network) ?? 1) - 1;
      if (left > 0) this.#perPeer.set(network, left);
      else this.#perPeer.delete(network);
    });
    this.#deadlines.set(socket, this.#limits.firstBytesMs);
    onBeginning(socket, this.#options.tls !== undefined, (beginning) => this.#begin(socket, peer, beginning));
  }

  /** False if there is no place for another connection. */
  #makeRoom(): boolean {
    if (this.#open.size < this.#limits.connections) return true;
    const [oldest] = this.#fresh;
    if (!oldest) return false;
    this.#fresh.delete(oldest);
    this.#open.delete(oldest);
    oldest.destroy();
    return true;
  }

  #settle(socket: Socket): void {
    this.#fresh.delete(socket);
    this.#deadlines.clear(socket);
  }

  #begin(socket: Socket, peer: string, beginning: Beginning): void {
    const { tls } = this.#options;
    if (beginning.kind === 'tls') {
      if (tls) this.#tlsFirst(socket, peer, beginning.seen, tls);
      return;
    }
    if (beginning.kind === 'http') {
      this.#settle(socket);
      const identity = tls ? STRANGER : INSECURE;
      this.#serveHttp(socket, beginning.seen, peer, { identity, certified: false }, false);
      return;
    }
    const { request, seen } = beginning;
    const refusal = 'status' in request ? request : this.#refusalOf(request, false, !tls);
    if (refusal || 'status' in request) {
      this.#sendAway(socket, refusal as Refusal);
      return;
    }
    const endpoint = endpointOf(request.path) as Endpoint;
    const rest = seen.subarray(request.length);
    socket.write(CONNECTED);
    if (!endpoint.tls) this.#serveSrpc(socket, socket, peer, endpoint, request, rest, INSECURE);
    else if (tls) this.#tlsInTunnel(socket, peer, endpoint, request, rest, tls);
  }

  #refusalOf(request: ConnectRequest, connectionIsTls: boolean, certified: boolean): Refusal | undefined {
    const haveTls = this.#options.tls !== undefined;
    const { path, query } = request;
    return refusalOf(path, { haveTls, connectionIsTls, certified, isConnect: true, query });
  }

  /** Says why and closes; what else comes is not looked at. */
  #sendAway(socket: Socket, refusal: Refusal): void {
    socket.on('data', () => undefined);
    socket.on('end', () => socket.destroy());
    socket.end(refusalText(refusal));
    this.#deadlines.set(socket, LINGER_MS);
  }

  /** Puts back what was read and shakes hands; undefined if that fails. */
  async #secure(
    socket: Socket,
    peer: string,
    seen: Uint8Array,
    tls: TlsServer,
  ): Promise<TLSSocket | undefined> {
    this.#deadlines.set(socket, this.#limits.tlsHandshakeMs);
    socket.pause();
    if (seen.length > 0) socket.unshift(seen);
    await this.#handshakes.next();
    if (socket.destroyed) return undefined;
    try {
      const secure = await tls.handshake(socket, { timeoutMs: this.#limits.tlsHandshakeMs });
      this.#deadlines.clear(socket);
      return secure;
    } catch (error) {
      this.#tlsFailures++;
      if (socket.bytesRead > 0)
        this.#refusals.write(`TLS handshake with ${peer} failed: ${(error as Error).message}`);
      socket.destroy();
      return undefined;
    }
  }

  #callerOf(secure: TLSSocket, tls: TlsServer, required: boolean): Caller {
    const authorization = tls.authorize(secure, { required });
    if ('identity' in authorization) {
      const { identity } = authorization;
      return { identity, certified: identity.authenticated };
    }
    const { refused: reason, who } = authorization;
    return { identity: STRANGER, certified: false, refused: { reason, who } };
  }

  #reportRefused(
    peer: string,
    { reason, who }: { reason: string; who: string },
    transport: 'srpc+tls' | 'https',
  ): void {
    this.#refusals.write(`Refused client ${peer}: ${reason}: ${who}`);
    this.#options.onRefused?.({ peer, who, reason, transport });
  }

  async #tlsInTunnel(
    socket: Socket,
    peer: string,
    endpoint: Endpoint,
    request: ConnectRequest,
    rest: Uint8Array,
    tls: TlsServer,
  ): Promise<void> {
    const secure = await this.#secure(socket, peer, rest, tls);
    if (!secure) return;
    const caller = this.#callerOf(secure, tls, true);
    if (caller.refused || !caller.certified) {
      this.#reportRefused(
        peer,
        caller.refused ?? { reason: 'no client certificate', who: 'nobody' },
        'srpc+tls',
      );
      secure.on('data', () => undefined);
      secure.on('end', () => socket.destroy());
      secure.end(BAD_CERTIFICATE);
      this.#deadlines.set(socket, LINGER_MS);
      return;
    }
    this.#serveSrpc(secure, socket, peer, endpoint, request, new Uint8Array(0), caller.identity);
  }

  async #tlsFirst(socket: Socket, peer: string, seen: Uint8Array, tls: TlsServer): Promise<void> {
    const secure = await this.#secure(socket, peer, seen, tls);
    if (!secure) return;
    const caller = this.#callerOf(secure, tls, false);
    this.#deadlines.set(socket, this.#limits.firstBytesMs);
    onBeginning(secure, false, (beginning) => this.#beginSecure(secure, socket, peer, caller, beginning));
  }

  #beginSecure(secure: TLSSocket, socket: Socket, peer: string, caller: Caller, beginning: Beginning): void {
    if (beginning.kind !== 'connect') {
      this.#settle(socket);
      if (caller.refused) this.#reportRefused(peer, caller.refused, 'https');
      this.#serveHttp(secure, beginning.seen, peer, caller, true);
      return;
    }
    const { request, seen } = beginning;
    const refusal = 'status' in request ? request : this.#refusalOf(request, true, caller.certified);
    if (refusal || 'status' in request) {
      if (refusal?.status === 401)
        this.#reportRefused(
          peer,
          caller.refused ?? { reason: 'no client certificate', who: 'nobody' },
          'srpc+tls',
        );
      this.#sendAwaySecure(secure, socket, refusal as Refusal);
      return;
    }
    const endpoint = endpointOf(request.path) as Endpoint;
    secure.write(CONNECTED);
    this.#serveSrpc(secure, socket, peer, endpoint, request, seen.subarray(request.length), caller.identity);
  }

  #sendAwaySecure(secure: TLSSocket, socket: Socket, refusal: Refusal): void {
    secure.on('data', () => undefined);
    secure.on('end', () => socket.destroy());
    secure.end(refusalText(refusal));
    this.#deadlines.set(socket, LINGER_MS);
  }

  #serveSrpc(
    connection: Socket,
    socket: Socket,
    peer: string,
    endpoint: Endpoint,
    request: ConnectRequest,
    initial: Uint8Array,
    identity: Identity,
  ): void {
    this.#settle(socket);
    // Calls may be far apart; HTTP connections have deadlines instead.
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#srpc++;
    this.#options
      .onSrpc({
        socket: connection,
        coder: endpoint.coder,
        identity,
        plain: connection === socket,
        peer,
        initial,
        withoutPowers: givesUpPowers(request.query),
        stopping: this.#stopping.signal,
        logDropped: (line) => this.#dropped.write(line),
      })
      .finally(() => this.#srpc--);
  }

  #serveHttp(connection: Socket, initial: Uint8Array, peer: string, caller: Caller, secure: boolean): void {
    this.#http++;
    serveHttp(connection, {
      handler: this.#options.onHttp,
      onBadRequest: this.#options.onBadRequest,
      endpointRefusal: (path, query) =>
        refusalOf(path, {
          query,
          haveTls: this.#options.tls !== undefined,
          connectionIsTls: secure,
          certified: caller.certified,
          isConnect: false,
        }),
      info: {
        identity: caller.identity,
        peer,
        secure,
        ...(caller.refused ? { refused: caller.refused.reason } : {}),
      },
      initial,
      limits: this.#limits.http,
      deadlines: this.#deadlines,
      log: this.#options.log,
      logDropped: (line) => this.#dropped.write(line),
      stopping: this.#stopping.signal,
    }).finally(() => this.#http--);
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#server.close();
    const gone = new Promise<void>((resolve) => {
      this.#emptied = resolve;
      if (this.#open.size === 0) resolve();
    });
    this.#stopping.abort();
    for (const socket of this.#fresh) socket.destroy();
    const cut = setTimeout(() => {
      for (const socket of this.#open) socket.destroy();
    }, deadlineMs);
    await gone;
    clearTimeout(cut);
    this.#deadlines.close();
  }
}

/** Opens the port. Rejects with the system's error if it cannot. */
export function listenFront(options: FrontOptions): Promise<Front> {
  return new PortFront(options).listen();
}
