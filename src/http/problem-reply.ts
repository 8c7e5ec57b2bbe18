/** Problems as programs want them (problem documents), or as pages where a browser shows them to somebody. */
import type { ImageServerError } from '../errors.ts';
import { PAGE_HEADERS } from './page-reply.ts';
import { type HttpProblem, type Problem, problemOf, problemResponse } from './problem.ts';

/** Makes a page of a problem; undefined where there are no pages. */
export type ProblemPage = ((problem: Problem) => string) | undefined;

/** Whoever names HTML wants something to look at; programs say they take JSON, or anything. */
function wantsPage(request: Request): boolean {
  return (
    (request.method === 'GET' || request.method === 'HEAD') &&
    /(?:^|[,\s])text\/html\b/i.test(request.headers.get('accept') ?? '')
  );
}

export function problemReply(
  request: Request,
  error: ImageServerError | HttpProblem,
  requestId: string,
  page: ProblemPage,
): Response {
  const response = problemResponse(error, requestId);
  if (!page || !wantsPage(request)) return response;
  const html = page(problemOf(error, requestId));
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(PAGE_HEADERS)) headers.set(name, value);
  headers.set('content-length', String(Buffer.byteLength(html)));
  return new Response(html, { status: response.status, headers });
}
