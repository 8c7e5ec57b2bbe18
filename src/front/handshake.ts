/** The CONNECT request that begins an SRPC connection, and the answers to it. */
import type { CoderName } from '../srpc/coder.ts';

export interface Endpoint {
  readonly coder: CoderName;
  /** Calls are made over TLS: a handshake follows, unless the connection is TLS already. */
  readonly tls: boolean;
}

export interface ConnectRequest {
  readonly path: string;
  /** Without `?`. */
  readonly query: string;
  /** Offset of the first byte behind the request. */
  readonly length: number;
}

/** Longest CONNECT request with all its headers, bytes. */
export const MAX_CONNECT = 8192;

const NEWLINE = 10;
const RETURN = 13;

/** Offset behind the empty line that ends a head with bare or CRLF line ends; 0 if it is not there yet. */
function headEnd(bytes: Uint8Array): number {
  for (let newline = bytes.indexOf(NEWLINE); newline >= 0; newline = bytes.indexOf(NEWLINE, newline + 1)) {
    if (bytes[newline + 1] === NEWLINE) return newline + 2;
    if (bytes[newline + 1] === RETURN && bytes[newline + 2] === NEWLINE) return newline + 3;
  }
  return 0;
}

/** Reads a CONNECT request; undefined until it is complete, null if it is malformed or too long. Headers mean nothing. */
export function parseConnect(bytes: Uint8Array): ConnectRequest | undefined | null {
  const length = headEnd(bytes.subarray(0, MAX_CONNECT));
  if (length === 0) return bytes.length >= MAX_CONNECT ? null : undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
  const line = text.slice(0, text.indexOf('\n')).replace(/\r$/, '');
  const match = /^CONNECT (\/[!-~]*) HTTP\/1\.[01]$/.exec(line);
  if (!match) return null;
  const target = match[1] as string;
  const question = target.indexOf('?');
  if (question < 0) return { path: target, query: '', length };
  return { path: target.slice(0, question), query: target.slice(question + 1), length };
}

/** Pages below the path of an endpoint that are not one. */
const PAGES = new Set(['/_goSRPC_/listMethods', '/_goSRPC_/listPublicMethods', '/_goSRPC_/getHostname']);

/** The endpoint of a path; undefined for unknown ones. Paths below the two that end in a slash belong to these. */
export function endpointOf(path: string): Endpoint | undefined {
  if (path === '/_SRPC_/unsecured/JSON') return { coder: 'json', tls: false };
  if (path === '/_SRPC_/TLS/JSON') return { coder: 'json', tls: true };
  if (path.startsWith('/_goSRPC_/')) return PAGES.has(path) ? undefined : { coder: 'gob', tls: false };
  if (path.startsWith('/_go_TLS_SRPC_/')) return { coder: 'gob', tls: true };
  return undefined;
}

/** Exactly what the original's clients require. */
export const CONNECTED = 'HTTP/1.0 200 Connected to Go SRPC\n\n';

const REASONS: Record<number, string> = {
  301: 'Moved Permanently',
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  503: 'Service Unavailable',
};

export interface Refusal {
  readonly status: number;
  readonly body?: string;
  readonly location?: string;
}

/** The text of a refusal; the connection is closed after it. */
export function refusalText({ status, body = '', location }: Refusal): string {
  return [
    `HTTP/1.0 ${status} ${REASONS[status]}`,
    'Content-Type: text/plain; charset=utf-8',
    ...(location ? [`Location: ${location}`] : []),
    `Date: ${new Date().toUTCString()}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

/** What the checks of an endpoint need to know. */
export interface Situation {
  /** The server has certificates: TLS is required then. */
  readonly haveTls: boolean;
  readonly connectionIsTls: boolean;
  /** Of the request, without `?`. */
  readonly query?: string | undefined;
  /** The certificate shown on a connection that is TLS was accepted. */
  readonly certified: boolean;
  readonly isConnect: boolean;
}

/**
 * The answer to a request for an endpoint if it is refused, in the original's order of checks; undefined if it is
 * accepted or (for other methods than CONNECT) no endpoint at all.
 */
export function refusalOf(path: string, situation: Situation): Refusal | undefined {
  const { haveTls, connectionIsTls, certified, isConnect, query } = situation;
  if (path === '/_goSRPC_' || path === '/_go_TLS_SRPC_')
    return { status: 301, location: `${path}/${query ? `?${query}` : ''}` };
  const endpoint = endpointOf(path);
  if (!endpoint) {
    if (!isConnect) return undefined;
    return PAGES.has(path) ? { status: 405 } : { status: 404, body: '404 page not found\n' };
  }
  if (endpoint.tls && !haveTls) return { status: 404 };
  if (!isConnect || (!endpoint.tls && haveTls)) return { status: 405 };
  if (connectionIsTls && !certified) return { status: 401 };
  return undefined;
}

/** `?doNotUseMethodPowers=true`: the client gives up what its certificate grants. */
export function givesUpPowers(query: string): boolean {
  return new URLSearchParams(query).get('doNotUseMethodPowers')?.toLowerCase() === 'true';
}
