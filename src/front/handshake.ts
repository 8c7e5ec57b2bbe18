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
function headEnd(bytes: Buffer): number {
  for (let newline = bytes.indexOf(NEWLINE); newline >= 0; newline = bytes.indexOf(NEWLINE, newline + 1)) {
    if (bytes[newline + 1] === NEWLINE) return newline + 2;
    if (bytes[newline + 1] === RETURN && bytes[newline + 2] === NEWLINE) return newline + 3;
  }
  return 0;
}

const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;

/** Headers mean nothing here, but they must be some, and none may promise a body. */
function headersAreSound(lines: readonly string[]): boolean {
  let hosts = 0;
  for (const line of lines) {
    const [, name, value = ''] = HEADER.exec(line) ?? [];
    switch (name?.toLowerCase()) {
      case undefined:
      case 'transfer-encoding':
        return false;
      case 'content-length':
        if (value.trim() !== '0') return false;
        break;
      case 'host':
        if (++hosts > 1 || /[\s/\\@?#]/.test(value.trim())) return false;
    }
  }
  return true;
}

/** Reads a CONNECT request; undefined until it is complete, a refusal if it is malformed or too long. */
export function parseConnect(bytes: Buffer): ConnectRequest | Refusal | undefined {
  const length = headEnd(bytes.length > MAX_CONNECT ? bytes.subarray(0, MAX_CONNECT) : bytes);
  if (length === 0) return bytes.length >= MAX_CONNECT ? { status: 400 } : undefined;
  const text = bytes.toString('latin1', 0, length);
  if (text !== last.text) last = { text, parsed: parseHead(text) };
  return last.parsed;
}

/** The request that came last, and what came of it: clients of one kind all send the same. */
let last: { text: string; parsed: ConnectRequest | Refusal } = { text: '', parsed: { status: 400 } };

function parseHead(text: string): ConnectRequest | Refusal {
  const { length } = text;
  const [line = '', ...headers] = text.replace(/[\r\n]+$/, '').split(/\r?\n/);
  const [, target, version] = /^CONNECT ([!-~]+) HTTP\/(\d\.\d)$/.exec(line) ?? [];
  if (!target?.startsWith('/') || !headersAreSound(headers)) return { status: 400 };
  if (version !== '1.0' && version !== '1.1') return { status: 505 };
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
export const CONNECTED = Buffer.from('HTTP/1.0 200 Connected to Go SRPC\n\n', 'latin1');

const REASONS: Record<number, string> = {
  301: 'Moved Permanently',
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
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
  return query !== '' && new URLSearchParams(query).get('doNotUseMethodPowers')?.toLowerCase() === 'true';
}
