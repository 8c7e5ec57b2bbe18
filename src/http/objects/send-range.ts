/** How a range of an object's file gets onto the connection: each listener has its own way without copying. */
import type { ObjectReader } from '../../store/types.ts';
import type { RequestState } from '../request-state.ts';

export interface Head {
  readonly status: number;
  readonly headers: Record<string, string>;
}

/** Takes the object over: closes it when all is sent or the client has gone. */
export function sendRange(
  state: RequestState,
  object: ObjectReader,
  start: number,
  end: number,
  head: Head,
): Response {
  if (state.native) {
    // Bun opens the file anew and sends it by itself; that it is there was seen when the object was opened.
    object.close();
    return new Response(Bun.file(object.path).slice(start, end), head);
  }
  object.close();
  return new Response(Bun.file(object.path).slice(start, end), head);
}
