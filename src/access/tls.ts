/**
 * TLS of the one port: the newest certificate and CA files for every new connection, the handshake with its deadline,
 * and who the peer is. The runtime's own verdict on client certificates is not used (see verify.ts): `authorize` decides,
 * before anything is read.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Identity } from './identity.ts';

/** Who the peer of a connection is, or why it is sent away; `who` names it for the log as far as it is known. */
export type Authorization =
  | { readonly identity: Identity }
  | { readonly refused: string; readonly who: string };

/** One certificate of ours and how long it is good for. */
export interface CertificateStatus {
  readonly role: 'server' | 'CA' | 'identity CA';
  readonly subject: string;
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whole days; negative when expired. */
  readonly daysLeft: number;
  /** It expires soon, has expired or is not valid yet. */
  readonly warning: boolean;
}

export interface TlsServer {
  /**
   * Shakes hands on a socket from which nothing of the TLS stream was read, or to which it was put back (unshift).
   * Rejects when the peer is not done by the deadline, leaves, or speaks no TLS 1.2 or 1.3; the socket is closed then.
   */
  handshake(socket: Socket, options: { readonly timeoutMs: number }): Promise<TLSSocket>;
  /** To be asked right after the handshake. Without a certificate: refused if `required`, else a stranger. */
  authorize(socket: TLSSocket, options: { readonly required: boolean }): Authorization;
  /** Reads the files again (SIGHUP). False: something is wrong with them; it was logged and the old ones stay. */
  reload(): boolean;
  certificateStatus(now?: number): readonly CertificateStatus[];
  /** Stops watching the files. */
  close(): void;
}
