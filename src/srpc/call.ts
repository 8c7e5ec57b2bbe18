/** What a handler and the log are told about one call over SRPC. */
import type { Decision } from '../access/decision.ts';
import type { Identity } from '../access/identity.ts';
import type { ImageServerError } from '../errors.ts';
import type { Call, Method } from '../methods/method.ts';

export class SrpcCall implements Call {
  subject = '';
  failure?: ImageServerError;
  readonly transport = 'srpc';

  constructor(
    readonly identity: Identity,
    readonly methodAccess: boolean,
    readonly peer: string,
    readonly signal: AbortSignal,
  ) {}
}

/** One call that ended or was refused, for audit and metrics. */
export interface CallRecord {
  readonly method: Method;
  /** Undefined when the call was refused before it began. */
  readonly call: Call | undefined;
  readonly identity: Identity;
  readonly peer: string;
  readonly decision: Decision;
  readonly error: ImageServerError | undefined;
  readonly milliseconds: number;
}
