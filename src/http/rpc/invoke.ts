/** One call of any method of the table, from JSON text to JSON text: what JSON RPC and the routes per method share. */
import { ImageServerError } from '../../errors.ts';
import type { Call, LinesMethod, Method, StreamMethod, UnaryMethod } from '../../methods/method.ts';
import { Prepared } from '../../methods/method.ts';
import type { Services } from '../../methods/services.ts';
import { toJson } from '../../wire/json.ts';
import { struct } from '../../wire/schema.ts';
import { decodeImageUpload, decodeParameters } from './decode.ts';
import { addObjectsJson, getObjectsJson } from './json-channel.ts';
import { LongJson } from './long-json.ts';

/** Longest list that is answered in one piece; longer ones are for the route of the method, which streams. */
const MAX_ITEMS = 1_000_000;

async function unaryJson(
  method: UnaryMethod,
  services: Services,
  text: string,
  call: Call,
): Promise<string | LongJson> {
  const reply = await method.handle(services, decodeParameters(method.request, text), call);
  return reply instanceof Prepared
    ? new LongJson(method.reply, await reply.value())
    : toJson(method.reply, reply);
}

const Nothing = struct('request', {});

/** For methods that ask for nothing. Throws INVALID_REQUEST naming a field. */
export function nothingAsked(text: string): void {
  decodeParameters(Nothing, text);
}

/** The request of a stream; undefined for those that ask for nothing. Throws INVALID_REQUEST naming the field. */
export function streamRequest(method: StreamMethod<unknown, unknown>, text: string): unknown {
  if (method.request) return decodeParameters(method.request, text);
  nothingAsked(text);
  return undefined;
}

/** The names that a lines method answers. */
export function linesOf(method: LinesMethod, services: Services, call: Call): string[] {
  const text = new TextDecoder().decode(method.handle(services, call));
  return text.split('\n').filter((line) => line !== '');
}

/** Runs a call whose answer is one JSON value. Throws ImageServerError. */
export async function invoke(
  method: Method,
  services: Services,
  text: string,
  call: Call,
): Promise<string | LongJson> {
  switch (method.shape) {
    case 'unary':
      return unaryJson(method, services, text, call);
    case 'imageUpload':
      return toJson(method.reply, await method.handle(services, await decodeImageUpload(text), call));
    case 'lines':
      nothingAsked(text);
      return JSON.stringify(linesOf(method, services, call));
    case 'stream': {
      if (method.live)
        throw new ImageServerError('INVALID_REQUEST', `this stream never ends; use POST /rpc/${method.name}`);
      const items: string[] = [];
      for await (const item of method.handle(services, streamRequest(method, text), call)) {
        if (items.length >= MAX_ITEMS)
          throw new ImageServerError(
            'TOO_LARGE',
            `more than ${MAX_ITEMS} items; use POST /rpc/${method.name}`,
          );
        items.push(toJson(method.item, item));
      }
      return `[${items.join(',')}]`;
    }
    case 'text':
      throw new ImageServerError('INVALID_REQUEST', `this stream never ends; use POST /rpc/${method.name}`);
    case 'channel':
      if (method.name === 'ObjectServer.AddObjects') return addObjectsJson(method, services, text, call);
      if (method.name === 'ObjectServer.GetObjects') return getObjectsJson(method, services, text, call);
      throw new ImageServerError(
        'INVALID_REQUEST',
        `this call carries raw bytes; use POST /rpc/${method.name}`,
      );
  }
}

/** Throws the failure that a handler reported inside its reply: over HTTP every failure is an error. */
export function throwFailure(call: Call): void {
  if (call.failure) throw call.failure;
}
