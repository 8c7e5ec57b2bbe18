/**
 * The one error class of the product. `code` is stable and goes to clients; `message` is public (never a path of the
 * server); what went wrong inside stays in `cause` and goes to the log only.
 */

interface ErrorKind {
  /** HTTP status. */
  readonly http: number;
  /** Exit status of imagetool with -detailedExitCodes; without it every failure is 1, as in the original. */
  readonly exit: number;
}

export const ERROR_KINDS = {
  INVALID_REQUEST: { http: 400, exit: 2 },
  INVALID_NAME: { http: 422, exit: 2 },
  INVALID_IMAGE: { http: 422, exit: 2 },
  HASH_MISMATCH: { http: 422, exit: 7 },
  UNAUTHENTICATED: { http: 401, exit: 5 },
  ACCESS_DENIED: { http: 403, exit: 5 },
  METHOD_NOT_FOUND: { http: 404, exit: 2 },
  IMAGE_NOT_FOUND: { http: 404, exit: 3 },
  DIRECTORY_NOT_FOUND: { http: 404, exit: 3 },
  OBJECT_NOT_FOUND: { http: 404, exit: 3 },
  FILE_NOT_FOUND: { http: 404, exit: 3 },
  IMAGE_EXISTS: { http: 409, exit: 4 },
  DIRECTORY_EXISTS: { http: 409, exit: 4 },
  DIRECTORY_NOT_EMPTY: { http: 409, exit: 4 },
  OBJECTS_MISSING: { http: 409, exit: 3 },
  CONFLICT: { http: 409, exit: 4 },
  NOT_EXPIRING: { http: 409, exit: 4 },
  REPLICA: { http: 409, exit: 5 },
  COLLISION: { http: 409, exit: 7 },
  TOO_LARGE: { http: 413, exit: 2 },
  TIMEOUT: { http: 408, exit: 6 },
  CANCELLED: { http: 499, exit: 6 },
  TOO_MANY_REQUESTS: { http: 429, exit: 6 },
  CORRUPT: { http: 500, exit: 7 },
  INTERNAL: { http: 500, exit: 1 },
  UNAVAILABLE: { http: 503, exit: 6 },
  NO_SPACE: { http: 507, exit: 1 },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

export class ImageServerError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ImageServerError';
    this.code = code;
  }

  get httpStatus(): number {
    return ERROR_KINDS[this.code].http;
  }
}

/** Any thrown value as an ImageServerError; what is not ours becomes INTERNAL with a text that tells nothing. */
export function asImageServerError(thrown: unknown): ImageServerError {
  if (thrown instanceof ImageServerError) return thrown;
  const errno = (thrown as { code?: unknown } | null)?.code;
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return new ImageServerError('NO_SPACE', 'no space left on device', { cause: thrown });
  if (errno === 'EFBIG')
    return new ImageServerError('TOO_LARGE', 'larger than the file system or a limit of the server allows', {
      cause: thrown,
    });
  return new ImageServerError('INTERNAL', 'internal error', { cause: thrown });
}

/** The text sent as an SRPC error line: one line, never empty (an empty line would read as success). */
export function errorLine(error: ImageServerError): string {
  return error.message.replace(/[\r\n]+/g, ' ').trim() || 'internal error';
}
