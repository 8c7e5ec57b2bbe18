/** May this caller do what the route does? The permission of a route is that of the RPC methods it stands for. */
import { asImageServerError, ImageServerError } from '../errors.ts';
import type { Call, Method } from '../methods/method.ts';
import { methods } from '../methods/table.ts';
import type { Decision, HttpDeps } from './deps.ts';
import { type RequestState, stateOf } from './request-state.ts';

/** A method of the table. Throws METHOD_NOT_FOUND. */
export function methodNamed(name: string): Method {
  const method = methods.get(name);
  if (!method) throw new ImageServerError('METHOD_NOT_FOUND', `unknown method: ${name.slice(0, 200)}`);
  return method;
}

/** Throws UNAUTHENTICATED or ACCESS_DENIED. */
function authorizeMethod(deps: HttpDeps, state: RequestState, method: Method): Decision {
  const { identity } = state;
  const decision = deps.decide(identity, method);
  if (decision.allowed) return decision;
  // Asked for only now: on the native listener that costs something.
  const { peer } = state;
  const error = identity.authenticated
    ? new ImageServerError('ACCESS_DENIED', `access to method denied: ${method.name}`)
    : new ImageServerError(
        'UNAUTHENTICATED',
        `${method.name} needs a client certificate${state.secure ? '' : ' (and HTTPS)'}`,
      );
  deps.onCall?.({
    method,
    call: undefined,
    identity,
    peer,
    decision,
    error,
    milliseconds: 0,
    secure: state.secure,
  });
  throw error;
}

/** Checks a resource route: every one of `names` must be allowed. */
export function authorize(deps: HttpDeps, request: Request, ...names: string[]): void {
  const state = stateOf(request);
  for (const name of names) authorizeMethod(deps, state, methodNamed(name));
}

/** A call that has begun; `finish` tells audit and metrics of its end, once. */
export interface OpenCall {
  readonly call: Call;
  finish(thrown?: unknown): void;
}

/** Begins a call of a method. Throws UNAUTHENTICATED or ACCESS_DENIED. */
export function openCall(
  deps: HttpDeps,
  request: Request,
  method: Method,
  signal: AbortSignal = request.signal,
): OpenCall {
  const { identity, peer, secure } = stateOf(request);
  const decision = authorizeMethod(deps, stateOf(request), method);
  const { methodAccess } = decision;
  const call: Call = { identity, methodAccess, peer, transport: 'http', signal, subject: '' };
  const start = performance.now();
  const finish = (thrown?: unknown) => {
    deps.onCall?.({
      method,
      call,
      identity,
      peer,
      decision,
      error: thrown === undefined ? call.failure : asImageServerError(thrown),
      milliseconds: performance.now() - start,
      secure,
    });
  };
  return { call, finish };
}

/** Runs a method's handler for an authorised caller, from beginning to end. */
export async function runCall<T>(
  deps: HttpDeps,
  request: Request,
  method: Method,
  handle: (call: Call) => T | Promise<T>,
): Promise<T> {
  const { call, finish } = openCall(deps, request, method);
  try {
    const value = await handle(call);
    finish();
    return value;
  } catch (thrown) {
    finish(thrown);
    throw thrown;
  }
}
