/**
 * The answer to what the front could not take for a request, or takes none of: a problem document with an id, in the
 * access log and the metrics like all others.
 */
import { ImageServerError } from '../errors.ts';
import type { HttpDeps } from './deps.ts';
import { HTTP_CODES, type HttpCode, HttpProblem, problemResponse } from './problem.ts';
import { newRequestId, type RequestInfo } from './request-state.ts';

function problemWith(status: number, message: string): HttpProblem | ImageServerError {
  const code = (Object.keys(HTTP_CODES) as HttpCode[]).find((one) => HTTP_CODES[one] === status);
  if (code !== undefined) return new HttpProblem(code, message);
  return new ImageServerError(status === 408 ? 'TIMEOUT' : 'INVALID_REQUEST', message);
}

export function createRefusal(
  deps: HttpDeps,
): (refused: { readonly status: number; readonly message: string }, info: RequestInfo) => Response {
  return ({ status, message }, { peer, identity }) => {
    const id = newRequestId();
    const response = problemResponse(problemWith(status, message), id);
    response.headers.set('x-request-id', id);
    response.headers.set('x-content-type-options', 'nosniff');
    deps.onAccess?.({
      id,
      peer,
      user: identity.user,
      // What it was about could not be read, or must not be believed.
      method: '-',
      path: '-',
      status: response.status,
      bytes: Number(response.headers.get('content-length')),
      milliseconds: 0,
    });
    return response;
  };
}
