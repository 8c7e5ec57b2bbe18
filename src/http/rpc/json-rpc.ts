/** JSON RPC 2.0 at POST /rpc: single calls, batches, notifications. */
import { Elysia } from 'elysia';
import { asImageServerError, ImageServerError } from '../../errors.ts';
import { methodNamed, runCall } from '../authorize.ts';
import { readBody, utf8Text } from '../body.ts';
import { checkMediaType } from '../browser-guard.ts';
import type { HttpDeps } from '../deps.ts';
import { describe, JSON_OF, REF } from '../openapi/operation.ts';
import { tellInternal } from '../problem.ts';
import { stateOf } from '../request-state.ts';
import { MAX_CALL } from './decode.ts';
import { invoke, throwFailure } from './invoke.ts';
import { type JsonParts, type LongJson, partsReply } from './long-json.ts';
import { isArrayText, rawItems, rawMembers } from './raw-json.ts';

const MAX_BATCH = 100;
/** The standard's numbers. */
const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
const INTERNAL_ERROR = -32603;
/** Errors of the application: the stable code is in `data.code`. */
const SERVER_ERROR = -32000;

function errorNumber(error: ImageServerError): number {
  if (error.code === 'INVALID_REQUEST') return INVALID_PARAMS;
  if (error.code === 'METHOD_NOT_FOUND') return METHOD_NOT_FOUND;
  if (error.code === 'INTERNAL') return INTERNAL_ERROR;
  return SERVER_ERROR;
}

/** `id` is JSON text. */
function failure(id: string, code: number, message: string, data?: object): string {
  return `{"jsonrpc":"2.0","error":${JSON.stringify({ code, message, ...(data ? { data } : {}) })},"id":${id}}`;
}

interface Envelope {
  /** JSON text; undefined for notifications. */
  readonly id: string | undefined;
  readonly method: string;
  /** JSON text of the parameters, empty if there are none. */
  readonly params: string;
}

/** What is no request; `id` is there if it could be read. */
interface NoRequest {
  readonly id: string | undefined;
  readonly problem: string;
}

/** Longer texts are not looked at as a whole before they are decoded, characters. */
const LONG = 128 * 1024;

/** Throws SyntaxError if a text is not JSON; of long ones only the outermost level is known to be when this returns. */
function checkSyntax(text: string): void {
  if (text.length <= LONG) JSON.parse(text);
}

/** Throws SyntaxError on what is not JSON. */
function readEnvelope(text: string): Envelope | NoRequest {
  checkSyntax(text);
  if (text.trimStart()[0] !== '{') return { id: undefined, problem: 'a call must be an object' };
  const members = rawMembers(text);
  const id = members.get('id');
  if (id !== undefined && !/^(?:"|-?\d|null$)/.test(id))
    return { id: undefined, problem: 'id must be a string, a number or null' };
  if (id !== undefined) JSON.parse(id);
  if (members.get('jsonrpc') !== '"2.0"') return { id, problem: 'jsonrpc must be "2.0"' };
  const method = JSON.parse(members.get('method') ?? 'null') as unknown;
  if (typeof method !== 'string') return { id, problem: 'method must be a string' };
  for (const name of members.keys())
    if (!['jsonrpc', 'id', 'method', 'params'].includes(name))
      return { id, problem: `unknown member: ${name.slice(0, 100)}` };
  const params = members.get('params') ?? '';
  if (params !== '' && params[0] !== '{' && params[0] !== '[')
    return { id, problem: 'params must be an object' };
  return { id, method, params };
}

/** The text of named parameters. Throws INVALID_REQUEST. */
function namedParameters(params: string): string {
  if (params[0] !== '[') return params;
  if (rawItems(params).length === 0) return '';
  throw new ImageServerError('INVALID_REQUEST', 'parameters are named: params must be an object');
}

/** One call; answers undefined for notifications. */
async function answerOne(deps: HttpDeps, request: Request, text: string): Promise<JsonParts | undefined> {
  let envelope: Envelope | NoRequest;
  try {
    envelope = readEnvelope(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return [failure('null', PARSE_ERROR, 'Parse error')];
  }
  if ('problem' in envelope)
    return [failure(envelope.id ?? 'null', INVALID_REQUEST, `Invalid Request: ${envelope.problem}`)];
  const { id, method: name } = envelope;
  try {
    const params = namedParameters(envelope.params);
    const method = methodNamed(name);
    const value = await runCall(deps, request, method, async (call) => {
      const result = await invoke(method, deps.services, params, call);
      throwFailure(call);
      return result;
    });
    return id === undefined ? undefined : [`{"jsonrpc":"2.0","result":`, value, `,"id":${id}}`];
  } catch (thrown) {
    const error = asImageServerError(thrown);
    const requestId = stateOf(request).id;
    tellInternal(deps, error, requestId);
    // Whether it was a notification cannot be said of what is not JSON.
    if (error.cause instanceof SyntaxError) return [failure('null', PARSE_ERROR, 'Parse error')];
    if (id === undefined) return undefined;
    const data = { code: error.code, status: error.httpStatus, requestId };
    return [failure(id, errorNumber(error), error.message, data)];
  }
}

/** The whole answer; undefined if there were only notifications. */
async function answer(deps: HttpDeps, request: Request, text: string): Promise<JsonParts | undefined> {
  if (!isArrayText(text)) return answerOne(deps, request, text);
  let calls: string[];
  try {
    calls = rawItems(text);
    // Before the first one runs.
    for (const call of calls) checkSyntax(call);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return [failure('null', PARSE_ERROR, 'Parse error')];
  }
  if (calls.length === 0) return [failure('null', INVALID_REQUEST, 'Invalid Request: empty batch')];
  if (calls.length > MAX_BATCH)
    return [failure('null', INVALID_REQUEST, `Invalid Request: more than ${MAX_BATCH} calls`)];
  const answers: (string | LongJson)[] = [];
  // One after the other: a batch may add an image and then look at it.
  for (const call of calls) {
    const one = await answerOne(deps, request, call);
    if (one !== undefined) answers.push(answers.length === 0 ? '[' : ',', ...one);
  }
  return answers.length === 0 ? undefined : [...answers, ']'];
}

export function jsonRpc(deps: HttpDeps) {
  return new Elysia({ name: 'json-rpc' }).post(
    '/rpc',
    async ({ request }) => {
      checkMediaType(request, ['application/json']);
      const sent = utf8Text(await readBody(request, MAX_CALL));
      const parts =
        sent === undefined
          ? [failure('null', PARSE_ERROR, 'Parse error: the text is not UTF-8')]
          : await answer(deps, request, sent);
      return parts === undefined ? new Response(null, { status: 204 }) : partsReply(request, parts);
    },
    {
      parse: 'none',
      detail: describe({
        tag: 'JSON RPC',
        summary: 'Calls any method, or a batch of up to 100, by JSON RPC 2.0',
        description:
          'Parameters are named. The calls of a batch run one after the other; a call without `id` is a notification and is not answered. Errors carry our stable code in `data.code`. Lists come as arrays; for endless or very long streams and for raw bytes use the route of the method.',
        permission: [],
        body: {
          content: JSON_OF(
            {
              oneOf: [
                REF('JsonRpcRequest'),
                { type: 'array', items: REF('JsonRpcRequest'), minItems: 1, maxItems: MAX_BATCH },
              ],
            },
            { jsonrpc: '2.0', id: 1, method: 'ImageServer.CheckDirectory', params: { DirectoryName: '.' } },
          ),
        },
        ok: {
          description: 'Result or error object, in an array for a batch',
          content: JSON_OF(
            { oneOf: [REF('JsonRpcResponse'), { type: 'array', items: REF('JsonRpcResponse') }] },
            { jsonrpc: '2.0', result: { DirectoryExists: true }, id: 1 },
          ),
        },
        others: { 204: { description: 'There were only notifications' } },
        errors: ['CROSS_ORIGIN', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'INVALID_REQUEST'],
      }),
    },
  );
}
