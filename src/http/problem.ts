/** Error answers: problem documents (RFC 9457) with the product's stable codes. Nothing of the inside is shown. */
import { type ErrorCode, ImageServerError } from '../errors.ts';
import type { HttpDeps } from './deps.ts';

/** Codes for what only HTTP knows. */
export const HTTP_CODES = {
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  UPLOAD_OFFSET: 409,
  PRECONDITION_FAILED: 412,
  URI_TOO_LONG: 414,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RANGE_NOT_SATISFIABLE: 416,
  EXPECTATION_FAILED: 417,
  MISDIRECTED_REQUEST: 421,
  HEADERS_TOO_LARGE: 431,
  NOT_IMPLEMENTED: 501,
  HTTP_VERSION_NOT_SUPPORTED: 505,
  CROSS_ORIGIN: 403,
} as const;
export type HttpCode = keyof typeof HTTP_CODES;

/** Thrown where an answer has a status that no ImageServerError stands for. */
export class HttpProblem extends Error {
  readonly status: number;
  constructor(
    readonly code: HttpCode,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = HTTP_CODES[code];
  }
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode | HttpCode;
  readonly requestId: string;
}

/** `OBJECT_NOT_FOUND` → `Object not found`. */
function titleOf(code: string): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function problemOf(error: ImageServerError | HttpProblem, requestId: string): Problem {
  const { code } = error;
  return {
    type: `urn:imageserver:error:${code.toLowerCase().replaceAll('_', '-')}`,
    title: titleOf(code),
    status: error instanceof ImageServerError ? error.httpStatus : error.status,
    detail: error.message,
    code,
    requestId,
  };
}

export function problemResponse(error: ImageServerError | HttpProblem, requestId: string): Response {
  const problem = problemOf(error, requestId);
  const text = `${JSON.stringify(problem)}\n`;
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    ...(error instanceof HttpProblem ? error.headers : {}),
  };
  // RFC 9110 wants a challenge with every 401; what is wanted here is a client certificate.
  if (problem.status === 401) headers['www-authenticate'] = 'ClientCertificate realm="imageserver"';
  if (problem.status === 429 || problem.status === 503) headers['retry-after'] = '5';
  return new Response(text, { status: problem.status, headers });
}

/** Tells the log what went wrong inside: what is nobody else's fault, and damage. */
export function tellInternal(deps: HttpDeps, error: ImageServerError, requestId: string): void {
  if (error.code === 'INTERNAL' || error.code === 'CORRUPT') deps.onInternalError?.(error, requestId);
}
