/** The CONNECT request that begins an SRPC connection, and the answers to it. */
import type { CoderName } from '../srpc/coder.ts';

export interface Endpoint {
  readonly coder: CoderName;
  readonly tls: boolean;
}

export interface ConnectRequest {
  readonly path: string;
  readonly query: string;
  /** Offset of the first byte behind the request. */
  readonly length: number;
}

/** Longest CONNECT request with all its headers, bytes. */
export const MAX_CONNECT = 8192;

/** Reads a CONNECT request with bare or CRLF line ends; undefined until it is complete, null if it is not one. */
export function parseConnect(bytes: Uint8Array): ConnectRequest | undefined | null {
  const text = Buffer.from(bytes.subarray(0, MAX_CONNECT)).toString('latin1');
  const match = /\r?\n\r?\n/.exec(text);
  if (!match) return bytes.length >= MAX_CONNECT ? null : undefined;
  const line = text.slice(0, text.indexOf('\n')).trimEnd();
  const request = /^CONNECT (\S+) HTTP\/1\.[01]$/.exec(line);
  if (!request) return null;
  const [path = '', query = ''] = (request[1] as string).split('?', 2);
  return { path, query, length: match.index + match[0].length };
}

const HELPERS = ['/_goSRPC_/listMethods'];

/** The endpoint of a path; undefined for unknown ones. */
export function endpointOf(path: string): Endpoint | undefined {
  if (path === '/_SRPC_/unsecured/JSON') return { coder: 'json', tls: false };
  if (path === '/_SRPC_/TLS/JSON') return { coder: 'json', tls: true };
  if (path.startsWith('/_goSRPC_/') && !HELPERS.includes(path)) return { coder: 'gob', tls: false };
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
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

/** A refusal; the connection is closed after it. */
export function refusal(status: number, options: { body?: string; location?: string } = {}): string {
  const body = options.body ?? '';
  return [
    `HTTP/1.0 ${status} ${REASONS[status]}`,
    'Content-Type: text/plain; charset=utf-8',
    ...(options.location ? [`Location: ${options.location}`] : []),
    `Date: ${new Date().toUTCString()}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

/** The status a CONNECT is refused with, in the original's order of checks; undefined if it is accepted. */
export function refusedStatus(
  path: string,
  server: { readonly haveTls: boolean; readonly connectionIsTls: boolean },
): number | undefined {
  if (path === '/_goSRPC_' || path === '/_go_TLS_SRPC_') return 301;
  const endpoint = endpointOf(path);
  if (!endpoint) return HELPERS.includes(path) ? 405 : 404;
  if (endpoint.tls && !server.haveTls) return 404;
  if (!endpoint.tls && server.haveTls) return 405;
  return undefined;
}
