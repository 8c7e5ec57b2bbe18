/** Which endpoint of a server is used: TLS with each of the client's certificates, TLS from the first byte, plain. */
import type { Socket } from 'node:net';
import { asImageServerError, ImageServerError } from '../errors.ts';
import {
  type ClientKeyPair,
  dialTcp,
  dialText,
  givenUp,
  requestEndpoint,
  secure,
  type Target,
  tlsText,
} from './dial.ts';

export interface ClientTlsOptions {
  /** In the order of preference; none: connections are plain, unless `serverCa` asks for a server that is verified. */
  readonly pairs: readonly ClientKeyPair[];
  /** PEM of the CAs that may have issued the server's certificate. Undefined: the server is not verified. */
  readonly serverCa?: string | undefined;
  /** A server without TLS may be spoken to nevertheless, as the original's tools do. */
  readonly allowPlainFallback?: boolean;
}

export interface ConnectOptions {
  /** Name or address; IPv6 literals with or without brackets. */
  readonly host: string;
  readonly port: number;
  readonly tls?: ClientTlsOptions | undefined;
  /** Milliseconds for everything until calls can be made. */
  readonly timeoutMs?: number;
  /** Gives up the attempt, and closes the connection at any time later. */
  readonly signal?: AbortSignal;
}

/** A connection on which calls can be made. */
export interface Established {
  readonly socket: Socket;
  readonly plain: boolean;
  /** Bytes that came behind the handshake. */
  readonly rest: Uint8Array;
}

type Confirm<T> = (established: Established) => Promise<T>;

const DEFAULT_TIMEOUT_MS = 15_000;
const ACCEPTED = '200 Connected to Go SRPC';
const PLAIN_PATH = '/_goSRPC_/';
const TLS_PATH = '/_go_TLS_SRPC_/';

/** The peer answered with something that is not HTTP: it may want TLS from the first byte. */
class NotHttp extends ImageServerError {
  constructor() {
    super('UNAVAILABLE', 'malformed HTTP response');
  }
}
/** 404: the server has no such endpoint. */
class NoEndpoint extends ImageServerError {
  constructor() {
    super('UNAVAILABLE', 'no SRPC endpoint');
  }
}
class Refused extends ImageServerError {
  constructor(message: string, cause?: unknown) {
    super('UNAUTHENTICATED', message, { cause });
  }
}

/** CONNECT; resolves with what came behind the answer, rejects with the client's word for the status. */
async function choose(socket: Socket, path: string, signal: AbortSignal): Promise<Uint8Array> {
  const { status, rest } = await requestEndpoint(socket, path, signal);
  if (status === ACCEPTED) return rest;
  if (status === undefined) throw new NotHttp();
  if (status.startsWith('404')) throw new NoEndpoint();
  if (status.startsWith('405')) throw new Refused('missing certificate');
  if (status.startsWith('401')) throw new Refused('bad certificate');
  throw new ImageServerError('UNAVAILABLE', `unexpected HTTP response: ${status}`);
}

async function plainly<T>(target: Target, confirm: Confirm<T>): Promise<T> {
  const socket = await dialTcp(target);
  try {
    const rest = await choose(socket, PLAIN_PATH, target.signal);
    return await confirm({ socket, plain: true, rest });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function shakeHands(
  socket: Socket,
  target: Target,
  tls: ClientTlsOptions,
  pair: ClientKeyPair | undefined,
): Promise<Socket> {
  const { host, signal } = target;
  try {
    return await secure(socket, { pair, serverCa: tls.serverCa, host }, signal);
  } catch (error) {
    if (signal.aborted) throw givenUp(signal);
    const text = tlsText(error);
    if (text.startsWith('remote error: tls: ')) throw new Refused(text, error);
    throw new ImageServerError('UNAVAILABLE', text, { cause: error });
  }
}

/** Calls are only sure to be possible when the server has answered something: refusals may come as a bare end. */
async function confirmSecure<T>(
  established: Established,
  confirm: Confirm<T>,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await confirm(established);
  } catch (error) {
    if (signal.aborted) throw givenUp(signal);
    const text = asImageServerError(error).message;
    throw new Refused(text.startsWith('remote error') ? text : 'bad certificate', error);
  }
}

/** CONNECT first, TLS in the tunnel; or, for servers behind a TLS listener, TLS first and CONNECT within. */
async function securely<T>(
  target: Target,
  tls: ClientTlsOptions,
  pair: ClientKeyPair | undefined,
  tlsFirst: boolean,
  confirm: Confirm<T>,
): Promise<T> {
  const { signal } = target;
  let socket = await dialTcp(target);
  try {
    let rest: Uint8Array = new Uint8Array(0);
    if (tlsFirst) {
      socket = await shakeHands(socket, target, tls, pair);
      rest = await choose(socket, TLS_PATH, signal);
    } else {
      const early = await choose(socket, TLS_PATH, signal);
      if (early.length > 0) throw new ImageServerError('UNAVAILABLE', 'server spoke out of turn');
      socket = await shakeHands(socket, target, tls, pair);
    }
    return await confirmSecure({ socket, plain: false, rest }, confirm, signal);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** TLS for the sake of verifying the server only. */
async function withoutPair<T>(
  target: Target,
  tls: ClientTlsOptions,
  tlsFirst: boolean,
  confirm: Confirm<T>,
): Promise<T> {
  try {
    return await securely(target, tls, undefined, tlsFirst, confirm);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new Refused('missing certificate: the server demands one of the client', error);
  }
}

/** Tries the certificates in their order until the server takes one. */
async function withAnyPair<T>(
  target: Target,
  tls: ClientTlsOptions,
  tlsFirst: boolean,
  confirm: Confirm<T>,
): Promise<T> {
  if (tls.pairs.length === 0) return withoutPair(target, tls, tlsFirst, confirm);
  let refusal: unknown;
  for (const pair of tls.pairs) {
    try {
      return await securely(target, tls, pair, tlsFirst, confirm);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

async function anyEndpoint<T>(
  target: Target,
  tls: ClientTlsOptions | undefined,
  confirm: Confirm<T>,
): Promise<T> {
  // Whoever asked for a server that is verified is never given a plain connection unasked.
  if (!tls || (tls.pairs.length === 0 && tls.serverCa === undefined)) return plainly(target, confirm);
  try {
    return await withAnyPair(target, tls, false, confirm);
  } catch (error) {
    if (error instanceof NotHttp) return withAnyPair(target, tls, true, confirm);
    if (!(error instanceof NoEndpoint)) throw error;
    if (tls.allowPlainFallback) return plainly(target, confirm);
    throw new ImageServerError(
      'UNAVAILABLE',
      'the server has no TLS endpoint, and a plain connection was not allowed',
    );
  }
}

/** Connects and confirms; all within the time allowed. Errors name the server. */
export async function establish<T>(options: ConnectOptions, confirm: Confirm<T>): Promise<T> {
  const { host, port, tls, timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options;
  const attempt = new AbortController();
  const timer = setTimeout(
    () => attempt.abort(new ImageServerError('TIMEOUT', 'connection timed out')),
    timeoutMs,
  );
  const abort = () => attempt.abort(signal?.reason);
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  const target: Target = { host, port, signal: attempt.signal };
  const timely: Confirm<T> = (established) => {
    const cut = () => established.socket.destroy();
    attempt.signal.addEventListener('abort', cut);
    return confirm(established).finally(() => attempt.signal.removeEventListener('abort', cut));
  };
  try {
    return await anyEndpoint(target, tls, timely);
  } catch (thrown) {
    if (attempt.signal.aborted) throw named(givenUp(attempt.signal), host, port);
    if (thrown instanceof ImageServerError) throw named(thrown, host, port);
    const text = dialText(thrown, host);
    throw new ImageServerError('UNAVAILABLE', `${host}:${port}: ${text}`, { cause: thrown });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

function named(error: ImageServerError, host: string, port: number): ImageServerError {
  return new ImageServerError(error.code, `${host}:${port}: ${error.message}`, { cause: error });
}
