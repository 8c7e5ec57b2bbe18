/** The server's log as it is written, for whoever listens. A slow listener is dropped: nobody waits for it. */
import { RE2JS } from 're2js';
import { ImageServerError } from '../errors.ts';
import {
  type WatchRequest,
  WatchRequest as WatchRequestSchema,
  WatchResponse,
} from '../wire/messages/logger.ts';
import type { Call, TextStreamMethod } from './method.ts';
import { checkLogger } from './remote-log.ts';
import type { Services } from './services.ts';

/** Lines and characters that a listener may be behind before it is dropped. */
const MAX_LINES = 1000;
const MAX_CHARACTERS = 256 * 1024;
/** Listeners at a time: each line is matched for each of them. */
const MAX_LISTENERS = 100;
/** Longest expression, characters. */
const MAX_REGEX = 1024;

/** Throws INVALID_REQUEST with the text of Go's compiler. */
function compile(expression: string): RE2JS | undefined {
  if (expression === '') return undefined;
  if (expression.length > MAX_REGEX)
    throw new ImageServerError(
      'INVALID_REQUEST',
      `regular expression is longer than ${MAX_REGEX} characters`,
    );
  try {
    return RE2JS.compile(expression);
  } catch (cause) {
    throw new ImageServerError('INVALID_REQUEST', (cause as Error).message, { cause });
  }
}

async function* lines(
  services: Services,
  request: WatchRequest,
  wanted: (line: string) => boolean,
  call: Call,
  overrun: AbortController,
): AsyncGenerator<string> {
  let waiting: string[] = [];
  let characters = 0;
  let wake: (() => void) | undefined;
  const wakeUp = () => wake?.();
  const unsubscribe = services.remoteLog.subscribe(request.DebugLevel, (line) => {
    if (!wanted(line)) return;
    waiting.push(line);
    characters += line.length;
    if (waiting.length > MAX_LINES || characters > MAX_CHARACTERS) {
      waiting = [];
      unsubscribe();
      overrun.abort(new ImageServerError('UNAVAILABLE', 'listener is too far behind'));
    }
    wakeUp();
  });
  call.signal.addEventListener('abort', wakeUp);
  try {
    while (!call.signal.aborted) {
      overrun.signal.throwIfAborted();
      if (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
        continue;
      }
      const text = waiting.join('');
      waiting = [];
      characters = 0;
      yield text;
    }
  } finally {
    unsubscribe();
    call.signal.removeEventListener('abort', wakeUp);
  }
}

export const logWatch: TextStreamMethod<WatchRequest> = {
  shape: 'text',
  name: 'Logger.Watch',
  summary: "The lines of the server's log as they are written, up to a debug level.",
  public: false,
  unauthenticatedRead: false,
  mutates: false,
  request: WatchRequestSchema,
  reply: WatchResponse,
  handle(services, request, call) {
    checkLogger(request.Name);
    const include = compile(request.IncludeRegex);
    const exclude = compile(request.ExcludeRegex);
    if (services.remoteLog.listeners >= MAX_LISTENERS)
      throw new ImageServerError('TOO_MANY_REQUESTS', `${MAX_LISTENERS} listeners watch the log already`);
    const wanted = (line: string) =>
      (include?.matcher(line).find() ?? true) && !(exclude?.matcher(line).find() ?? false);
    const overrun = new AbortController();
    return { lines: lines(services, request, wanted, call, overrun), overrun: overrun.signal };
  },
};
