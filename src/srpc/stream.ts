/** Streams of values from the server: lists that end, and live events that end only with the connection. */
import { ImageServerError } from '../errors.ts';
import { Batch, type StreamMethod, type TextStream } from '../methods/method.ts';
import type { Services } from '../methods/services.ts';
import { streamTurns } from '../shared-turns.ts';
import type { SrpcCall } from './call.ts';
import type { Coder, CoderName } from './coder.ts';
import type { SocketWriter } from './writer.ts';

/** Milliseconds after which a long list lets others have their turn. */
const TURN_MS = 3;

/**
 * Values and batches yielded to several listeners are the same object: its bytes are made once. (A fresh encoder numbers types the
 * same way every time and defines them with its first value, so later values look the same on every stream.)
 */
const encoded: Record<CoderName, WeakMap<object, Uint8Array>> = { gob: new WeakMap(), json: new WeakMap() };

function sharedEncoding(method: StreamMethod, coder: Coder, item: object): Uint8Array {
  const known = encoded[coder.name];
  let bytes = known.get(item);
  if (!bytes) {
    bytes =
      item instanceof Batch
        ? Buffer.concat(item.items.map((one) => coder.encode(method.item, one)))
        : coder.encode(method.item, item);
    known.set(item, bytes);
  }
  return bytes;
}

/** A list: sent as fast as the peer takes it, in turns. */
export async function sendList(
  method: StreamMethod,
  services: Services,
  coder: Coder,
  writer: SocketWriter,
  call: SrpcCall,
): Promise<void> {
  const items = method.handle(services, undefined, call);
  let since = performance.now();
  let count = 0;
  const send = async (item: unknown): Promise<void> => {
    const blocked = writer.write(coder.encode(method.item, item as never));
    if (blocked) await blocked;
    if ((++count & 31) !== 0 || performance.now() - since < TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    since = performance.now();
  };
  for await (const item of items) await send(item);
  if (method.end !== undefined) await writer.write(coder.encode(method.item, method.end as never));
}

/** A listener that has not taken what waits for it by then is dropped, milliseconds. */
const DEAF_MS = 60_000;

/** Waits for a listener that is behind; rejects with the reason why it is dropped. */
async function listening(blocked: Promise<void>, limitMs: number, overrun?: AbortSignal): Promise<void> {
  const deaf = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      deaf.reject(
        new ImageServerError('UNAVAILABLE', `listener has not kept up for ${Math.round(limitMs / 1000)} s`),
      ),
    limitMs,
  );
  const giveUp = () => deaf.reject(overrun?.reason);
  overrun?.addEventListener('abort', giveUp);
  if (overrun?.aborted) giveUp();
  try {
    await Promise.race([blocked, deaf.promise]);
  } finally {
    clearTimeout(timer);
    overrun?.removeEventListener('abort', giveUp);
  }
}

/**
 * Live events: the first leaves at once and as it is (a thousand listeners gather nothing for it); those that follow in
 * the same turn of the event loop share a write.
 */
export async function sendEvents(
  method: StreamMethod,
  services: Services,
  coder: Coder,
  writer: SocketWriter,
  call: SrpcCall,
  deafMs = DEAF_MS,
): Promise<void> {
  let count = 0;
  let flushing = false;
  let failure: unknown;
  const flush = () => {
    flushing = false;
    try {
      // Whether the socket takes more is asked before the next item.
      Promise.resolve(writer.flush()).catch(() => undefined);
    } catch (error) {
      failure = error;
    }
  };
  let first = true;
  for await (const item of method.handle(services, undefined, call)) {
    // All streams share their turns: a thousand lists at once, or an event for a thousand listeners, hold up nobody.
    if (!flushing || item instanceof Batch || (++count & 31) === 0) await streamTurns.next();
    if (failure !== undefined) throw failure;
    const bytes = first
      ? coder.encode(method.item, item as never)
      : sharedEncoding(method, coder, item as object);
    first = false;
    const blocked = flushing ? writer.write(bytes) : writer.writeAlone(bytes);
    if (blocked) await listening(blocked, deafMs);
    if (!flushing) {
      flushing = true;
      setImmediate(flush);
    }
  }
}

/** The reply, then text as it comes: `overrun` ends the wait for a peer that does not take it. */
export async function sendText(
  { lines, overrun }: TextStream,
  reply: Uint8Array,
  writer: SocketWriter,
  deafMs = DEAF_MS,
): Promise<void> {
  const source = lines[Symbol.asyncIterator]();
  try {
    // Begun before the reply: whoever has read that may count on every later line.
    let next = source.next();
    writer.write(reply);
    for (;;) {
      const blocked = writer.flush();
      if (blocked) await listening(blocked, deafMs, overrun);
      const { value, done } = await next;
      if (done) return;
      writer.write(Buffer.from(value, 'utf8'));
      next = source.next();
    }
  } finally {
    await source.return?.(undefined);
  }
}
