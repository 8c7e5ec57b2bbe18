/**
 * Answers that are a range of a file. Where the connection is plain the bytes go from the page cache to the network
 * without passing through this process; any other carrier of the Response finds an ordinary body in it.
 */

export interface FileRange {
  /** Absolute path. */
  readonly path: string;
  /** Offsets in bytes; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

const ranges = new WeakMap<Response, FileRange>();

/** A response whose body is that range; `init` should hold everything but Content-Length. */
export function fileResponse(range: FileRange, init?: ResponseInit): Response {
  const response = new Response(Bun.file(range.path).slice(range.start, range.end), init);
  ranges.set(response, range);
  return response;
}

/** The range that a response was made from. */
export function fileRangeOf(response: Response): FileRange | undefined {
  return ranges.get(response);
}
