/** What a server refuses, as an error with its stable code. */

/** The problem document of a server. */
export interface Problem {
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly requestId: string;
}

export class ImageServerProblem extends Error {
  /** Stable: IMAGE_NOT_FOUND, ACCESS_DENIED, … */
  readonly code: string;
  readonly status: number;
  /** Names the request in the server's log. */
  readonly requestId: string;

  constructor({ status, detail, code, requestId }: Problem) {
    super(detail);
    this.name = 'ImageServerProblem';
    this.code = code;
    this.status = status;
    this.requestId = requestId;
  }
}

/** Throws the problem of an answer that is none. */
export async function checkAnswer(response: Response): Promise<Response> {
  if (response.ok || response.status === 304) return response;
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  throw new ImageServerProblem({
    status: response.status,
    detail: problem.detail ?? `the server answered ${response.status} ${response.statusText}`,
    code: problem.code ?? 'UNKNOWN',
    requestId: problem.requestId ?? response.headers.get('x-request-id') ?? '',
  });
}
