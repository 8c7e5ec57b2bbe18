/** Errors thrown by handlers become problem documents; unknown paths and methods get their 404 and 405. */
import type { Elysia } from 'elysia';
import { asImageServerError, ImageServerError } from '../errors.ts';
import type { HttpDeps } from './deps.ts';
import { rawPath } from './entrance.ts';
import { HttpProblem, tellInternal } from './problem.ts';
import { type ProblemPage, problemReply } from './problem-reply.ts';
import { stateOf } from './request-state.ts';

interface Route {
  readonly method: string;
  readonly pattern: RegExp;
}

/** A path pattern of the router as a regular expression: `:name` is one segment, a last `*` is the rest. */
function patternOf(path: string): RegExp {
  const source = path
    .split('/')
    .map((part) =>
      part.startsWith(':') ? '[^/]+' : part === '*' ? '.+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    )
    .join('/');
  return new RegExp(`^${source}/?$`);
}

/** The methods that some route knows for this path. */
function allowedMethods(routes: readonly Route[], path: string): string[] {
  const found = new Set(routes.filter((route) => route.pattern.test(path)).map((route) => route.method));
  if (found.has('GET')) found.add('HEAD');
  if (found.size > 0) found.add('OPTIONS');
  return [...found].sort();
}

function toError(thrown: unknown): ImageServerError | HttpProblem {
  return thrown instanceof HttpProblem ? thrown : asImageServerError(thrown);
}

/** What is wrong with a path that no route knows. */
function unknownPath(path: string): ImageServerError | HttpProblem {
  const method = /^\/rpc\/([^/]+)$/.exec(path)?.[1];
  return method === undefined
    ? new HttpProblem('NOT_FOUND', 'there is nothing at this path; /swagger describes what there is')
    : new ImageServerError('METHOD_NOT_FOUND', `unknown method: ${method.slice(0, 200)}`);
}

export function errors(deps: HttpDeps, page?: ProblemPage) {
  return (app: Elysia): Elysia => {
    let routes: Route[] | undefined;
    return app.onError(({ error, code, request }) => {
      const state = stateOf(request);
      const reply = (problem: ImageServerError | HttpProblem) =>
        problemReply(request, problem, state.id, page);
      if (code === 'NOT_FOUND') {
        routes ??= app.routes.map(({ method, path }) => ({ method, pattern: patternOf(path) }));
        const path = rawPath(request);
        const allow = allowedMethods(routes, path);
        if (allow.length === 0) return reply(unknownPath(path));
        if (request.method === 'OPTIONS')
          return new Response(null, { status: 204, headers: { allow: allow.join(', ') } });
        return reply(
          new HttpProblem('METHOD_NOT_ALLOWED', `${request.method} is not for this path`, {
            allow: allow.join(', '),
          }),
        );
      }
      if (code === 'VALIDATION' || code === 'PARSE' || code === 'INVALID_COOKIE_SIGNATURE')
        return reply(new ImageServerError('INVALID_REQUEST', 'the request is not valid'));
      const known = toError(error);
      if (known instanceof ImageServerError) tellInternal(deps, known, state.id);
      return reply(known);
    }) as unknown as Elysia;
  };
}
