/** Text answers (JSON, HTML, plain), compressed when the client takes it and it is worth it. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Shorter texts fit one packet anyway, bytes. */
const WORTH_COMPRESSING = 1400;
const gzipAsync = promisify(gzip);

export interface ReplyOptions {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** True if Accept-Encoding names gzip and does not forbid it with q=0. */
export function acceptsGzip(request: Request): boolean {
  const accepted = request.headers.get('accept-encoding');
  if (accepted === null) return false;
  return accepted.split(',').some((part) => {
    const [coding, ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    return (coding === 'gzip' || coding === '*') && !parameters.some((p) => /^q=0(\.0*)?$/.test(p));
  });
}

/** Always with Content-Length, so that HEAD can tell it. */
function plain(body: string | Uint8Array, type: string, options: ReplyOptions): Response {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  return new Response(body as string, {
    status: options.status ?? 200,
    headers: { 'content-type': type, 'content-length': String(length), ...options.headers },
  });
}

/** A text answer of the given media type. */
export function textReply(
  request: Request,
  text: string,
  type = 'text/plain; charset=utf-8',
  options: ReplyOptions = {},
): Response | Promise<Response> {
  if (text.length < WORTH_COMPRESSING) return plain(text, type, options);
  const headers = { ...options.headers, vary: 'accept-encoding' };
  if (!acceptsGzip(request)) return plain(text, type, { ...options, headers });
  return gzipAsync(text, { level: 4 }).then((packed) =>
    plain(packed, type, { ...options, headers: { ...headers, 'content-encoding': 'gzip' } }),
  );
}

/** A JSON answer; `text` is JSON already. */
export function jsonReply(
  request: Request,
  text: string,
  options: ReplyOptions = {},
): Response | Promise<Response> {
  return textReply(request, text, 'application/json', {
    ...options,
    headers: { 'cache-control': 'no-store', ...options.headers },
  });
}

/** Lets strings through as they are; bigints become digits, which JSON.stringify refuses to write. */
export function jsonOf(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map((item) => jsonOf(item ?? null)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${jsonOf(field)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
