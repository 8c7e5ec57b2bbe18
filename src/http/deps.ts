/** What the HTTP application is given by the daemon, or by a test. */
import type { Identity } from '../access/identity.ts';
import type { ImageServerError } from '../errors.ts';
import type { Call, Method } from '../methods/method.ts';
import type { Services } from '../methods/services.ts';
import type { Damage } from '../store/types.ts';

/** The outcome of the one permission decision. */
export interface Decision {
  readonly allowed: boolean;
  /** The certificate grants this very method: ownership is not checked by the handler. */
  readonly methodAccess: boolean;
  readonly reason: string;
}

interface Readiness {
  readonly ready: boolean;
  /** What is not ready or not well, in words for operators; empty when all is well. */
  readonly reasons: readonly string[];
}

/** One finished call, for audit lines and call metrics. */
export interface CallRecord {
  readonly method: Method;
  /** Undefined when the call was refused before it began. */
  readonly call: Call | undefined;
  readonly identity: Identity;
  readonly peer: string;
  readonly decision: Decision;
  readonly error: ImageServerError | undefined;
  readonly milliseconds: number;
  /** Came over TLS. */
  readonly secure: boolean;
}

/** One answered request. */
export interface AccessRecord {
  readonly id: string;
  readonly peer: string;
  readonly user: string;
  readonly method: string;
  /** As sent, percent-encoded. */
  readonly path: string;
  readonly status: number;
  /** Content-Length of the answer; undefined for streams. */
  readonly bytes: number | undefined;
  /** Until the answer's head was ready. */
  readonly milliseconds: number;
}

export interface HttpDeps {
  /** Set for a moment after the start: requests wait for it, but those that ask how the server is. */
  readonly opening?: () => Promise<void> | undefined;
  readonly services: Services;
  readonly decide: (identity: Identity, method: Method) => Decision;
  /** The server runs without TLS: everybody may do everything, so browsers are watched more closely. */
  readonly insecure: boolean;
  /** Names (without port, lower case) under which browsers may come over plain HTTP; localhost and addresses always may. */
  readonly hostNames: ReadonlySet<string>;
  readonly version: string;
  readonly readiness: () => Readiness;
  /** What was found damaged since the start. */
  readonly damages: () => readonly Damage[];
  /** Milliseconds since the epoch when the server started. */
  readonly startedAt: number;
  /** The last lines of the log, oldest first. */
  readonly logLines: () => Iterable<string>;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly onCall?: (record: CallRecord) => void;
  readonly onAccess?: (record: AccessRecord) => void;
  /** What went wrong inside; the caller only sees the id. */
  readonly onInternalError?: (error: ImageServerError, requestId: string) => void;
}
