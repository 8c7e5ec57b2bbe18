/** The first steps of a connection: TCP, the CONNECT request and its answer, TLS. Each ends in time or is given up. */
import { connect, isIP, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { ImageServerError } from '../errors.ts';

/** PEM texts of a certificate (which may hold its chain, leaf first) and its key. */
export interface ClientKeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Where a connection goes, and the signal that gives it up. */
export interface Target {
  /** Name, IPv4 or IPv6 address, the latter with or without brackets. */
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
}

/** Longest answer to CONNECT, bytes. */
const MAX_ANSWER = 16 * 1024;
const KEEP_ALIVE_MS = 300_000;

/** The host as it is dialled: everything from `*` on is a remark, brackets belong to IPv6 literals. */
function dialledHost(host: string): string {
  return host.replace(/\*.*$/, '').replace(/^\[(.*)\]$/, '$1');
}

/** The text of a failure at dialling, as the original's programs print it. */
export function dialText(error: unknown, host: string): string {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'EHOSTUNREACH':
      return 'no route to host';
    case 'ENETUNREACH':
      return 'network is unreachable';
    case 'ENOTFOUND':
    case 'DNS_ENOTFOUND':
    case 'ENODATA':
      return `dial tcp: lookup ${host}: no such host`;
    case 'EAI_AGAIN':
    case 'DNS_ETIMEOUT':
      return `dial tcp: lookup ${host}: temporary failure in name resolution`;
    case 'ETIMEDOUT':
      return 'connection timed out';
    case 'ECONNRESET':
      return 'connection reset by peer';
    default:
      return message;
  }
}

/** Why the attempt was given up, for `signal.reason`s that are ours; anything else is an abort by the caller. */
export function givenUp(signal: AbortSignal): ImageServerError {
  const { reason } = signal;
  return reason instanceof ImageServerError
    ? reason
    : new ImageServerError('CANCELLED', 'cancelled', { cause: reason });
}

/** Opens a TCP connection. Rejects with the system's error, or the reason for which it was given up. */
export function dialTcp(target: Target): Promise<Socket> {
  const { port, signal } = target;
  return new Promise((resolve, reject) => {
    const socket = connect({ host: dialledHost(target.host), port, noDelay: true, keepAlive: true });
    const settle = () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail);
    };
    const fail = (error: Error) => {
      settle();
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const abort = () => fail(givenUp(signal));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    socket.once('error', fail);
    socket.once('connect', () => {
      settle();
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

/** The answer to a CONNECT request. */
export interface Answer {
  /** Status code and text, e.g. `404 Not Found`; undefined if what came is not HTTP. */
  readonly status: string | undefined;
  /** Bytes behind the answer. */
  readonly rest: Uint8Array;
}

function parseAnswer(bytes: Uint8Array): Answer | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const start = text.slice(0, 5);
  if (!'HTTP/'.startsWith(start)) return { status: undefined, rest: bytes };
  const end = /\r?\n\r?\n/.exec(text);
  if (!end) return bytes.length > MAX_ANSWER ? { status: undefined, rest: bytes } : undefined;
  const line = text.slice(0, text.indexOf('\n')).replace(/\r$/, '');
  return {
    status: /^HTTP\/1\.\d (\d{3}.*)$/.exec(line)?.[1],
    rest: bytes.subarray(end.index + end[0].length),
  };
}

/** Asks for an endpoint and reads the answer. Rejects when the connection ends before. */
export function requestEndpoint(socket: Socket, path: string, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let seen: Uint8Array = new Uint8Array(0);
    const settle = () => {
      signal.removeEventListener('abort', abort);
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      socket.off('error', fail);
    };
    const fail = (error: Error) => {
      settle();
      reject(error);
    };
    const abort = () => fail(givenUp(signal));
    const onEnd = () => fail(new ImageServerError('UNAVAILABLE', 'unexpected EOF'));
    const onData = (chunk: Uint8Array) => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const answer = parseAnswer(seen);
      if (!answer) return;
      settle();
      socket.pause();
      resolve(answer);
    };
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    socket.on('error', fail);
    socket.resume();
    // Bare newlines and no headers: what every client of the original sends.
    socket.write(`CONNECT ${path} HTTP/1.0\n\n`);
  });
}

export interface HandshakeOptions {
  /** Undefined: none is shown. */
  readonly pair: ClientKeyPair | undefined;
  /** PEM of the CAs that the server's certificate must come from; undefined: the server is not verified. */
  readonly serverCa: string | undefined;
  readonly host: string;
}

/** The text for what went wrong in TLS; the alert of a peer that refuses our certificate in Go's words. */
export function tlsText(error: unknown): string {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  const alert = /ALERT_([A-Z_]+)$/.exec(code)?.[1];
  if (alert) return `remote error: tls: ${alert.toLowerCase().replaceAll('_', ' ')}`;
  return message;
}

/** Shakes hands as TLS client on an open socket. */
export function secure(socket: Socket, options: HandshakeOptions, signal: AbortSignal): Promise<TLSSocket> {
  const { pair, serverCa } = options;
  const host = dialledHost(options.host);
  return new Promise((resolve, reject) => {
    const tls = tlsConnect({
      socket,
      ...(pair ? { cert: pair.cert, key: pair.key } : {}),
      minVersion: 'TLSv1.2',
      rejectUnauthorized: serverCa !== undefined,
      ...(serverCa === undefined ? {} : { ca: serverCa, ...(isIP(host) ? {} : { servername: host }) }),
    });
    const settle = () => {
      signal.removeEventListener('abort', abort);
      tls.off('error', fail);
      tls.off('close', left);
    };
    const fail = (error: Error) => {
      settle();
      tls.on('error', () => undefined);
      tls.destroy();
      socket.destroy();
      reject(error);
    };
    const abort = () => fail(givenUp(signal));
    const left = () => fail(new ImageServerError('UNAVAILABLE', 'EOF'));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    tls.on('error', fail);
    tls.on('close', left);
    tls.once('secureConnect', () => {
      settle();
      tls.on('error', () => tls.destroy());
      resolve(tls);
    });
  });
}
