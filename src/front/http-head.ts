/**
 * The head of an HTTP/1 request. Strict: whatever two parsers could read in two ways (bare newlines, folded lines, two
 * lengths, a length and chunks, blanks before a colon …) is refused, so that no proxy in front can be talked past.
 */
import type { SocketReader } from '../srpc/reader.ts';
import { asBuffer, type Slices } from '../wire/text.ts';

/** A request that is answered with `status` and the end of the connection. */
export class BadRequest extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export interface RequestHead {
  readonly method: string;
  /** Path and query, percent-encoded; begins with `/`. */
  readonly target: string;
  /** HTTP/1.1, not 1.0. */
  readonly modern: boolean;
  readonly headers: [string, string][];
  /** Bytes of the body; undefined: it comes in chunks. */
  readonly length: number | undefined;
  readonly keepAlive: boolean;
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

const NEWLINE = 10;
const RETURN = 13;
const MAX_HEADERS = 100;
const MAX_TARGET = 16 * 1024;
/** Those that fetch's Request keeps as they are and that somebody could mean. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const BAD_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;
/** What may surround a value; whatever else others take for blank stays, and is refused where it matters. */
const BLANKS = /^[ \t]+|[ \t]+$/g;

/**
 * Text of the next head without the empty line that ends it, one character for each byte; undefined if the stream ends
 * before its first byte. `begun` is called when a head has begun that is not yet complete. Throws BadRequest.
 */
export function readHead(
  reader: SocketReader,
  maxBytes: number,
  begun: () => void,
): string | undefined | Promise<string | undefined> {
  const end = headEnd(reader, maxBytes, 0);
  return end > 0 ? takeHead(reader, end) : readHeadLater(reader, maxBytes, begun);
}

async function readHeadLater(
  reader: SocketReader,
  maxBytes: number,
  begun: () => void,
): Promise<string | undefined> {
  for (;;) {
    if (reader.buffered > 0) begun();
    if (!(await reader.more())) {
      if (reader.buffered === 0) return undefined;
      throw reader.failure instanceof BadRequest ? reader.failure : new BadRequest(400, 'incomplete request');
    }
    const end = headEnd(reader, maxBytes, 0);
    if (end > 0) return takeHead(reader, end);
  }
}

/** Bytes of the head with its empty line, 0 if that is not here yet. Empty lines before a request are dropped. */
function headEnd(reader: SocketReader, maxBytes: number, dropped: number): number {
  const { queue } = reader;
  for (let line = 0; ; ) {
    const newline = queue.indexOf(NEWLINE, line);
    if (newline < 0) {
      if (queue.length > maxBytes) throw new BadRequest(431, 'request head is too long');
      return 0;
    }
    if (newline === line || queue.byteAt(newline - 1) !== RETURN)
      throw new BadRequest(400, 'line ends with a bare newline');
    if (newline > maxBytes) throw new BadRequest(431, 'request head is too long');
    if (newline === line + 1) {
      if (line > 0) return newline + 1;
      if (dropped >= 2) throw new BadRequest(400, 'empty request');
      reader.take(2);
      return headEnd(reader, maxBytes, dropped + 1);
    }
    line = newline + 1;
  }
}

function takeHead(reader: SocketReader, end: number): string {
  const bytes = reader.take(end) as Uint8Array;
  return (asBuffer(bytes) as unknown as Slices).latin1Slice(0, end - 4);
}

interface Target {
  /** Path and query. */
  readonly path: string;
  /** Of an absolute target: what counts in place of the Host header. */
  readonly host?: string;
}

function parseTarget(method: string, target: string): Target {
  if (target.length > MAX_TARGET) throw new BadRequest(414, 'request target is too long');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: only visible characters may be there
  if (/[\x00-\x20\x7f#\\]/.test(target)) throw new BadRequest(400, 'bad request target');
  const encoded = target.replace(
    /[\x80-\xff]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  if (encoded.startsWith('/')) return { path: encoded };
  if (encoded === '*' && method === 'OPTIONS') return { path: '/' };
  const absolute = /^https?:\/\/([^/?@]+)(\/.*|\?.*)?$/i.exec(encoded);
  if (!absolute) throw new BadRequest(400, 'bad request target');
  const [, host = '', rest = '/'] = absolute;
  return { path: rest.startsWith('/') ? rest : `/${rest}`, host };
}

/** What the headers say about the body and the connection. */
class Facts {
  length: number | undefined;
  chunked = false;
  hosts = 0;
  connection = '';
  expect = '';

  note(name: string, value: string): void {
    switch (name) {
      case 'host':
        this.hosts++;
        if (/[\s/\\@?#]/.test(value)) throw new BadRequest(400, 'bad Host');
        break;
      case 'content-length':
        if (this.length !== undefined) throw new BadRequest(400, 'more than one Content-Length');
        if (!/^\d{1,15}$/.test(value)) throw new BadRequest(400, 'bad Content-Length');
        this.length = Number(value);
        break;
      case 'transfer-encoding':
        if (this.chunked) throw new BadRequest(400, 'more than one Transfer-Encoding');
        if (value.toLowerCase() !== 'chunked') throw new BadRequest(501, 'unknown Transfer-Encoding');
        this.chunked = true;
        break;
      case 'connection':
        this.connection += `,${value.toLowerCase()}`;
        break;
      case 'expect':
        this.expect = value.toLowerCase();
        break;
    }
  }

  check(modern: boolean): void {
    if (this.hosts > 1 || (modern && this.hosts === 0))
      throw new BadRequest(400, 'exactly one Host is needed');
    if (this.chunked && this.length !== undefined)
      throw new BadRequest(400, 'both Content-Length and Transfer-Encoding');
    if (this.chunked && !modern) throw new BadRequest(400, 'Transfer-Encoding in HTTP/1.0');
    if (this.expect !== '' && this.expect !== '100-continue') throw new BadRequest(417, 'unknown Expect');
  }

  connectionSays(token: string): boolean {
    return this.connection !== '' && this.connection.split(',').some((part) => part.trim() === token);
  }
}

/** Takes a head apart; its method may be any. Throws BadRequest. */
export function parseHead(text: string): RequestHead {
  const lineEnd = text.indexOf('\r\n');
  const line = lineEnd < 0 ? text : text.slice(0, lineEnd);
  const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^ ]+) HTTP\/(\d\.\d)$/.exec(line);
  if (!match) throw new BadRequest(400, 'bad request line');
  const [, method, target, version] = match as unknown as [string, string, string, string];
  if (version !== '1.1' && version !== '1.0') throw new BadRequest(505, 'HTTP version not supported');
  const modern = version === '1.1';
  const headers: [string, string][] = [];
  const facts = new Facts();
  for (let at = lineEnd < 0 ? text.length : lineEnd + 2; at < text.length; ) {
    let end = text.indexOf('\r\n', at);
    if (end < 0) end = text.length;
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon > end) throw new BadRequest(400, 'bad header line');
    const name = text.slice(at, colon);
    const value = text.slice(colon + 1, end).replace(BLANKS, '');
    if (!NAME.test(name) || BAD_VALUE.test(value)) throw new BadRequest(400, 'bad header line');
    if (headers.length === MAX_HEADERS) throw new BadRequest(431, 'too many headers');
    headers.push([name, value]);
    facts.note(name.toLowerCase(), value);
    at = end + 2;
  }
  facts.check(modern);
  const { path, host } = parseTarget(method, target);
  if (host !== undefined) {
    const others = headers.filter(([name]) => name.toLowerCase() !== 'host');
    headers.splice(0, headers.length, ...others, ['Host', host]);
  }
  return {
    method,
    target: path,
    modern,
    headers,
    length: facts.chunked ? undefined : (facts.length ?? 0),
    keepAlive: modern ? !facts.connectionSays('close') : facts.connectionSays('keep-alive'),
    expectsContinue: modern && facts.expect !== '',
  };
}

/** Throws BadRequest for methods that nothing here is asked with. */
export function checkMethod({ method }: Pick<RequestHead, 'method'>): void {
  if (!METHODS.has(method)) throw new BadRequest(method === 'CONNECT' ? 405 : 501, 'method not supported');
}
