/** POST /rpc/{Service.Method} for every method of the table: one documented route each. */
import { Elysia } from 'elysia';
import type {
  ChannelMethod,
  LinesMethod,
  Method,
  StreamMethod,
  TextStreamMethod,
} from '../../methods/method.ts';
import { methods } from '../../methods/table.ts';
import { toJson } from '../../wire/json.ts';
import { openCall, runCall } from '../authorize.ts';
import { hasNoBody, readText } from '../body.ts';
import { checkMediaType } from '../browser-guard.ts';
import type { HttpDeps } from '../deps.ts';
import { describeMethod } from '../openapi/method-description.ts';
import { jsonReply } from '../reply.ts';
import { bandwidthFromServer, bandwidthToServer } from './bandwidth.ts';
import { decodeParameters, MAX_CALL } from './decode.ts';
import { invoke, linesOf, nothingAsked, streamRequest, throwFailure } from './invoke.ts';
import { itemStream } from './item-stream.ts';
import { partsReply } from './long-json.ts';

/** Lines of live updates, which all listeners share. */
const updateLines = new WeakMap<object, Uint8Array>();

const NDJSON = 'application/x-ndjson';
/** Requests other than images are lists of hashes or small objects at most, bytes. */
const MAX_SMALL_CALL = 32 * 1024 * 1024;

/** The JSON text of a request; reads need not say that nothing is JSON. */
async function parametersOf(request: Request, method: Method): Promise<string> {
  if (!(hasNoBody(request) && !method.mutates)) checkMediaType(request, ['application/json']);
  return readText(request, method.shape === 'imageUpload' ? MAX_CALL : MAX_SMALL_CALL);
}

/** Whole lines of text, each as a JSON string. */
function ndjsonLines(text: string): string {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** A signal that also fires when the reader of the answer goes away. */
function cancellable(request: Request): { signal: AbortSignal; cancel: () => void } {
  const gone = new AbortController();
  return { signal: AbortSignal.any([request.signal, gone.signal]), cancel: () => gone.abort() };
}

async function streamReply(
  deps: HttpDeps,
  request: Request,
  method: StreamMethod<unknown, unknown> | LinesMethod | TextStreamMethod,
): Promise<Response> {
  const { signal, cancel } = cancellable(request);
  const { call, finish } = openCall(deps, request, method, signal);
  try {
    const text = await parametersOf(request, method);
    if (method.shape === 'lines') nothingAsked(text);
    const options = {
      live: method.shape === 'text' || (method.shape === 'stream' && method.live),
      onEnd: finish,
      onCancel: cancel,
    };
    const body =
      method.shape === 'lines'
        ? itemStream(linesOf(method, deps.services, call), {
            ...options,
            encode: (name) => `${JSON.stringify(name)}\n`,
          })
        : method.shape === 'text'
          ? itemStream(method.handle(deps.services, decodeParameters(method.request, text), call).lines, {
              ...options,
              encode: ndjsonLines,
            })
          : itemStream(method.handle(deps.services, streamRequest(method, text), call), {
              ...options,
              shared: updateLines,
              encode: (item) => `${toJson(method.item, item)}\n`,
            });
    return new Response(body, { headers: { 'content-type': NDJSON, 'cache-control': 'no-store' } });
  } catch (thrown) {
    finish(thrown);
    throw thrown;
  }
}

async function bandwidthReply(deps: HttpDeps, request: Request, method: ChannelMethod): Promise<Response> {
  const type = checkMediaType(request, ['application/json', 'application/octet-stream']);
  if (type === 'application/octet-stream') {
    const reply = await runCall(deps, request, method, (call) =>
      bandwidthToServer(method, deps.services, request, call),
    );
    return jsonReply(request, reply);
  }
  const { signal, cancel } = cancellable(request);
  const { call, finish } = openCall(deps, request, method, signal);
  try {
    const text = await readText(request, MAX_SMALL_CALL);
    return bandwidthFromServer(method, deps.services, text, call, cancel, finish);
  } catch (thrown) {
    finish(thrown);
    throw thrown;
  }
}

async function singleReply(deps: HttpDeps, request: Request, method: Method): Promise<Response> {
  const reply = await runCall(deps, request, method, async (call) => {
    const result = await invoke(method, deps.services, await parametersOf(request, method), call);
    throwFailure(call);
    return result;
  });
  return partsReply(request, [reply]);
}

function handlerOf(deps: HttpDeps, method: Method): (request: Request) => Promise<Response> {
  if (method.shape === 'stream' || method.shape === 'lines' || method.shape === 'text')
    return (request) => streamReply(deps, request, method);
  if (method.name === 'ObjectServer.TestBandwidth')
    return (request) => bandwidthReply(deps, request, method as ChannelMethod);
  return (request) => singleReply(deps, request, method);
}

export function methodRoutes(deps: HttpDeps) {
  const app = new Elysia({ name: 'method-routes' });
  for (const method of methods.values()) {
    const handle = handlerOf(deps, method);
    app.post(`/rpc/${method.name}`, ({ request }) => handle(request), {
      parse: 'none',
      detail: describeMethod(method),
    });
  }
  return app;
}
