/** What the front is given, and what it tells. */
import type { Identity } from '../access/identity.ts';
import type { TlsServer } from '../access/tls.ts';
import type { CoderName } from '../srpc/coder.ts';
import type { PeerSocket } from '../srpc/peer-socket.ts';
import type { Stopping } from '../srpc/stopping.ts';
import {
  type BadRequestHandler,
  DEFAULT_HTTP_LIMITS,
  type HttpHandler,
  type HttpLimits,
} from './http-connection.ts';

export interface FrontLimits {
  /** Connections in all. When there are so many, those that have not said what they are make room first. */
  readonly connections: number;
  /** For one IPv4 address or one /64 network of IPv6 addresses. */
  readonly connectionsPerPeer: number;
  /** Milliseconds until the first bytes must tell what a connection is; again inside of TLS. */
  readonly firstBytesMs: number;
  /** Milliseconds for a TLS handshake. */
  readonly tlsHandshakeMs: number;
  readonly http: HttpLimits;
}
export const DEFAULT_LIMITS: FrontLimits = {
  connections: 10_000,
  connectionsPerPeer: 2_000,
  firstBytesMs: 15_000,
  tlsHandshakeMs: 15_000,
  http: DEFAULT_HTTP_LIMITS,
};

/** An SRPC connection whose handshake is over. */
interface SrpcConnection {
  readonly socket: PeerSocket;
  readonly coder: CoderName;
  readonly identity: Identity;
  readonly plain: boolean;
  readonly peer: string;
  /** Bytes that came along with the handshake. */
  readonly initial: Uint8Array;
  /** The client gave up what its certificate grants. */
  readonly withoutPowers: boolean;
  /** Throttled: of peers that are cut off. */
  readonly logDropped: (line: string) => void;
  /** The front is being closed. */
  readonly stopping: Stopping;
}

/** A peer that was sent away before it could call anything. */
export interface RefusedPeer {
  readonly peer: string;
  /** What its certificate says, as far as it could be read. */
  readonly who: string;
  readonly reason: string;
  readonly transport: 'srpc+tls' | 'https';
}

export interface FrontOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly limits?: Partial<Omit<FrontLimits, 'http'>> & { readonly http?: Partial<HttpLimits> };
  /** TLS of the server; undefined: it runs without, and everybody may do everything. */
  readonly tls?: TlsServer | undefined;
  readonly onSrpc: (connection: SrpcConnection) => Promise<void>;
  readonly onHttp: HttpHandler;
  readonly onBadRequest?: BadRequestHandler;
  readonly onRefused?: (refused: RefusedPeer) => void;
  readonly log: (line: string) => void;
}

export interface FrontStatistics {
  /** Connections open now, and of these: SRPC, HTTP, and those that have not said yet what they are. */
  readonly open: number;
  readonly srpc: number;
  readonly http: number;
  readonly fresh: number;
  /** Since the start. */
  readonly accepted: number;
  /** Turned away because there were too many. */
  readonly refused: number;
  readonly tlsFailures: number;
}

export interface Front {
  readonly port: number;
  readonly connections: () => FrontStatistics;
  /** Stops accepting and ends idle connections, waits for what is under way until the deadline, then cuts. */
  close(deadlineMs: number): Promise<void>;
}
