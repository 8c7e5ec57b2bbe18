/**
 * The one port: accepts, looks at the first bytes and hands the connection on. CONNECT is SRPC (plain, or TLS inside),
 * 0x16 is TLS from the first byte (with HTTP or CONNECT inside), anything else is HTTP. Every step before has a deadline,
 * and there are only so many connections, in all and for each peer.
 */
import { type Identity, INSECURE, STRANGER } from '../access/identity.ts';
import type { TlsServer } from '../access/tls.ts';
import { arrivals, SharedTurns } from '../shared-turns.ts';
import { Deadlines } from '../srpc/deadlines.ts';
import { LogThrottle } from '../srpc/log-throttle.ts';
import { Stopping } from '../srpc/stopping.ts';
import { type AcceptedSocket, type AcceptingPort, acceptOn } from './accepted-socket.ts';
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

const KEEP_ALIVE_MS = 300_000;
/** So many connections that have not said what they are may begin without waiting for their turn. */
const CROWD = 16;
const NOTHING = new Uint8Array(0);
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
  #port: AcceptingPort | undefined;
  readonly #options: FrontOptions;
  readonly #limits: FrontLimits;
  readonly #open = new Set<AcceptedSocket>();
  /** Those that have not said what they are, oldest first. */
  readonly #fresh = new Set<AcceptedSocket>();
  readonly #perPeer = new Map<string, number>();
  readonly #deadlines = new Deadlines();
  readonly #stopping = new Stopping();
  readonly #refusals: LogThrottle;
  readonly #dropped: LogThrottle;
  readonly #handshakes = new SharedTurns();
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
  }

  listen(): Front {
    const { host, port } = this.#options;
    const opened = acceptOn(host, port, (socket) => this.#accept(socket));
    this.#port = opened;
    return {
      port: opened.port,
      connections: () => this.#statistics(),
      close: (deadlineMs) => this.#close(deadlineMs),
    };
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

  #accept(socket: AcceptedSocket): void {
    const peer = socket.remoteAddress.replace(/^::ffff:/, '');
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
    onBeginning(socket, this.#options.tls !== undefined, (beginning) =>
      this.#inTurn(socket, () => this.#begin(socket, peer, beginning)),
    );
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

  /** When many come at once, those that are here already are served in between. */
  #inTurn(socket: AcceptedSocket, begin: () => void): void {
    if (this.#fresh.size <= CROWD) {
      begin();
      return;
    }
    socket.pause();
    arrivals.next().then(() => {
      if (!socket.destroyed) begin();
    });
  }

  #settle(socket: AcceptedSocket): void {
    this.#fresh.delete(socket);
    this.#deadlines.clear(socket);
  }

  #begin(socket: AcceptedSocket, peer: string, beginning: Beginning): void {
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
      this.#sendAway(socket, refusalText(refusal as Refusal));
      return;
    }
    const endpoint = endpointOf(request.path) as Endpoint;
    const rest = seen.subarray(request.length);
    socket.write(CONNECTED);
    if (!endpoint.tls) this.#serveSrpc(socket, true, peer, endpoint, request, rest, INSECURE);
    else if (tls) this.#tlsInTunnel(socket, peer, endpoint, request, rest, tls);
  }

  #refusalOf(request: ConnectRequest, connectionIsTls: boolean, certified: boolean): Refusal | undefined {
    const haveTls = this.#options.tls !== undefined;
    const { path, query } = request;
    return refusalOf(path, { haveTls, connectionIsTls, certified, isConnect: true, query });
  }

  /** Says why and closes; what else comes is not looked at. */
  #sendAway(socket: AcceptedSocket, text: string): void {
    socket.on('end', () => socket.destroy());
    socket.resume();
    socket.write(Buffer.from(text, 'latin1'));
    socket.end();
    this.#deadlines.set(socket, LINGER_MS);
  }

  /** Shakes hands; false if that fails. `seen`: of the TLS stream, read already. */
  async #secure(socket: AcceptedSocket, peer: string, seen: Uint8Array, tls: TlsServer): Promise<boolean> {
    const { tlsHandshakeMs } = this.#limits;
    this.#deadlines.set(socket, tlsHandshakeMs);
    socket.pause();
    await this.#handshakes.next();
    if (socket.destroyed) return false;
    try {
      await socket.startTls(tls.parameters(), seen, tlsHandshakeMs);
      this.#deadlines.clear(socket);
      return true;
    } catch (error) {
      this.#tlsFailures++;
      if (socket.bytesRead > 0)
        this.#refusals.write(`TLS handshake with ${peer} failed: ${(error as Error).message}`);
      return false;
    }
  }

  #callerOf(socket: AcceptedSocket, tls: TlsServer, required: boolean): Caller {
    const authorization = tls.authorize(socket, { required });
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
    socket: AcceptedSocket,
    peer: string,
    endpoint: Endpoint,
    request: ConnectRequest,
    rest: Uint8Array,
    tls: TlsServer,
  ): Promise<void> {
    if (!(await this.#secure(socket, peer, rest, tls))) return;
    const caller = this.#callerOf(socket, tls, true);
    if (caller.refused || !caller.certified) {
      this.#reportRefused(
        peer,
        caller.refused ?? { reason: 'no client certificate', who: 'nobody' },
        'srpc+tls',
      );
      this.#sendAway(socket, BAD_CERTIFICATE);
      return;
    }
    this.#serveSrpc(socket, false, peer, endpoint, request, NOTHING, caller.identity);
  }

  async #tlsFirst(socket: AcceptedSocket, peer: string, seen: Uint8Array, tls: TlsServer): Promise<void> {
    if (!(await this.#secure(socket, peer, seen, tls))) return;
    const caller = this.#callerOf(socket, tls, false);
    this.#deadlines.set(socket, this.#limits.firstBytesMs);
    onBeginning(socket, false, (beginning) =>
      this.#inTurn(socket, () => this.#beginSecure(socket, peer, caller, beginning)),
    );
  }

  #beginSecure(socket: AcceptedSocket, peer: string, caller: Caller, beginning: Beginning): void {
    if (beginning.kind !== 'connect') {
      this.#settle(socket);
      if (caller.refused) this.#reportRefused(peer, caller.refused, 'https');
      this.#serveHttp(socket, beginning.seen, peer, caller, true);
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
      this.#sendAway(socket, refusalText(refusal as Refusal));
      return;
    }
    const endpoint = endpointOf(request.path) as Endpoint;
    const rest = seen.subarray(request.length);
    socket.write(CONNECTED);
    this.#serveSrpc(socket, false, peer, endpoint, request, rest, caller.identity);
  }

  #serveSrpc(
    socket: AcceptedSocket,
    plain: boolean,
    peer: string,
    endpoint: Endpoint,
    request: ConnectRequest,
    initial: Uint8Array,
    identity: Identity,
  ): void {
    this.#settle(socket);
    // Calls may be far apart; HTTP connections have deadlines instead.
    socket.setKeepAlive(KEEP_ALIVE_MS);
    this.#srpc++;
    this.#options
      .onSrpc({
        socket,
        coder: endpoint.coder,
        identity,
        plain,
        peer,
        initial,
        withoutPowers: givesUpPowers(request.query),
        stopping: this.#stopping,
        logDropped: (line) => this.#dropped.write(line),
      })
      .finally(() => this.#srpc--);
  }

  #serveHttp(
    socket: AcceptedSocket,
    initial: Uint8Array,
    peer: string,
    caller: Caller,
    secure: boolean,
  ): void {
    this.#http++;
    serveHttp(socket, {
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
      stopping: this.#stopping,
    }).finally(() => this.#http--);
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#port?.close();
    const gone = new Promise<void>((resolve) => {
      this.#emptied = resolve;
      if (this.#open.size === 0) resolve();
    });
    this.#stopping.begin();
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
export async function listenFront(options: FrontOptions): Promise<Front> {
  return new PortFront(options).listen();
}
