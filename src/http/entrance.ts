/**
 * The outermost layer of the application: every request passes here first and every answer last. Gives the request its
 * state, keeps foreign web pages out, turns HEAD into GET without a body, adds the headers that all answers carry, and
 * tells the access log.
 */
import type { Elysia } from 'elysia';
import { asImageServerError, ImageServerError } from '../errors.ts';
import { checkBrowser } from './browser-guard.ts';
import type { HttpDeps } from './deps.ts';
import { HttpProblem, tellInternal } from './problem.ts';
import { type ProblemPage, problemReply } from './problem-reply.ts';
import { beginState, type RequestState, setState } from './request-state.ts';

/** Answered while the stores are being opened, too. */
const HEALTH: ReadonlySet<string> = new Set(['/healthz', '/readiness']);

type Fetch = (request: Request) => Response | Promise<Response>;

/**
 * Answers GETs of the routes that are asked most, without the router and with `answerHeaders` in them already: putting
 * headers into an answer one by one costs. Undefined: not one of them.
 */
export type Shortcut = (request: Request, path: string, state: RequestState) => Response | undefined;

/** Carried by every answer. */
export function answerHeaders(state: RequestState) {
  return {
    'x-request-id': state.id,
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
  };
}

/** Path of a request as sent, without the query. */
export function rawPath(request: Request): string {
  const { url } = request;
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const query = url.indexOf('?', start);
  return query < 0 ? url.slice(start) : url.slice(start, query);
}

/** The query as sent, without `?`. */
export function rawQuery(request: Request): string {
  const query = request.url.indexOf('?');
  return query < 0 ? '' : request.url.slice(query + 1);
}

/** Drops the body of an answer to HEAD; what feeds it is told to stop. */
function withoutBody(response: Response): Response {
  response.body?.cancel().catch(() => {
    // Nothing was read from it, so nothing is lost.
  });
  return new Response(null, { status: response.status, headers: response.headers });
}

export interface EntranceOptions {
  /** Pages for people and what they are made of: pages elsewhere may link to them. */
  readonly isPage: (path: string) => boolean;
  readonly shortcut: Shortcut;
  readonly page?: ProblemPage;
}

export function entrance(deps: HttpDeps, { isPage, shortcut, page }: EntranceOptions) {
  return (app: Elysia): Elysia => {
    const peerOf = (request: Request) => () => app.server?.requestIP(request)?.address ?? '';

    const finish = (request: Request, state: RequestState, start: number, response: Response): Response => {
      const answer = state.head && response.body !== null ? withoutBody(response) : response;
      const { headers } = answer;
      for (const [name, value] of Object.entries(answerHeaders(state))) headers.set(name, value);
      return tell(request, state, start, answer);
    };

    const tell = (request: Request, state: RequestState, start: number, answer: Response): Response => {
      if (deps.onAccess) {
        const { headers } = answer;
        const length = headers.get('content-length');
        deps.onAccess({
          id: state.id,
          peer: state.peer,
          user: state.identity.user,
          method: state.head ? 'HEAD' : request.method,
          path: rawPath(request),
          status: answer.status,
          bytes: length === null ? undefined : Number(length),
          milliseconds: performance.now() - start,
        });
      }
      return answer;
    };

    const fail = (thrown: unknown, request: Request, state: RequestState): Response => {
      if (thrown instanceof HttpProblem) return problemReply(request, thrown, state.id, page);
      const error = asImageServerError(thrown);
      tellInternal(deps, error, state.id);
      return problemReply(request, error, state.id, page);
    };

    const wrapped = (next: Fetch) => (sent: Request) => {
      const start = performance.now();
      const state = beginState(sent, peerOf(sent));
      const request = state.head
        ? new Request(sent.url, { method: 'GET', headers: sent.headers, signal: sent.signal })
        : sent;
      setState(request, state);
      try {
        if (state.refused !== undefined)
          throw new ImageServerError(
            'UNAUTHENTICATED',
            `the client certificate is not accepted: ${state.refused}`,
          );
        const path = rawPath(request);
        // Pages of a server with TLS are for everybody, under whatever name it has.
        const names = !deps.insecure && isPage(path) ? 'any' : deps.hostNames;
        checkBrowser(request, state, path, names, isPage);
        const opening = HEALTH.has(path) ? undefined : deps.opening?.();
        const quick = sent.method === 'GET' && !opening ? shortcut(request, path, state) : undefined;
        if (quick) return tell(request, state, start, quick);
        const response = opening ? opening.then(() => next(request)) : next(request);
        if (response instanceof Promise)
          return response.then(
            (value) => finish(request, state, start, value),
            (thrown: unknown) => finish(request, state, start, fail(thrown, request, state)),
          );
        return finish(request, state, start, response);
      } catch (thrown) {
        return finish(request, state, start, fail(thrown, request, state));
      }
    };
    let made: { next: Fetch; outer: Fetch } | undefined;
    // Elysia asks for the outer function at each request.
    const outer = (next: Fetch) => {
      if (made?.next !== next) made = { next, outer: wrapped(next) };
      return made.outer;
    };
    return app.wrap(outer as never) as Elysia;
  };
}
