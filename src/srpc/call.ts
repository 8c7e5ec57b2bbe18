/** What a handler and the log are told about one call over SRPC. */
import type { Decision } from '../access/decision.ts';
import type { Identity } from '../access/identity.ts';
import type { ImageServerError } from '../errors.ts';
import type { Call, Method } from '../methods/method.ts';

/** Most calls never look at their signal, so it is made when one does. */
export interface Caller {
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
}

export class SrpcCall implements Call {
  subject = '';
  failure?: ImageServerError;
  readonly transport = 'srpc';

  constructor(
    readonly identity: Identity,
    readonly methodAccess: boolean,
    readonly peer: string,
    readonly caller: Caller,
  ) {}

  get signal(): AbortSignal {
    return this.caller.signal;
  }
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
