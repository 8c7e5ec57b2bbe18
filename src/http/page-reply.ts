/** Answers that are pages for people: HTML with a policy that lets nothing in from elsewhere. */
import { textReply } from './reply.ts';
import { type Source, streamedBytes } from './text-stream.ts';

/** No script but our own files, nothing from other hosts, no frames. */
const POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const HTML = 'text/html; charset=utf-8';
export const PAGE_HEADERS = {
  'content-type': HTML,
  'content-security-policy': POLICY,
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function pageReply(request: Request, html: string, status = 200): Response | Promise<Response> {
  return textReply(request, html, HTML, { status, headers: PAGE_HEADERS });
}

/** A long page, made while it is sent. */
export function longPageReply(request: Request, pieces: Iterable<Uint8Array>, source?: Source): Response {
  return streamedBytes(request, pieces, PAGE_HEADERS, source);
}
