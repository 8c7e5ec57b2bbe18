/** The SRPC call loop: method lines in, one call at a time, driven by the table of methods. */
import type { Socket } from 'node:net';
import type { Decision } from '../access/decision.ts';
import type { Identity } from '../access/identity.ts';
import { asImageServerError, errorLine, ImageServerError } from '../errors.ts';
import { type Call, type Channel, type Method, Prepared, type StreamMethod } from '../methods/method.ts';
import type { Services } from '../methods/services.ts';
import { methods, services as serviceNames } from '../methods/table.ts';
import type { ObjectReader } from '../store/types.ts';
import type { Schema, ValueOf } from '../wire/schema.ts';
import { type Coder, type CoderName, makeCoder } from './coder.ts';
import { SocketReader } from './reader.ts';
import { SocketWriter } from './writer.ts';

/** One call that ended, for audit and metrics. */
export interface CallRecord {
  readonly method: Method;
  readonly identity: Identity;
  readonly peer: string;
  readonly decision: Decision;
  /** What the call was about; empty if it was refused. */
  readonly subject: string;
  readonly error: ImageServerError | undefined;
  readonly milliseconds: number;
}

export interface SrpcOptions {
  readonly coder: CoderName;
  readonly identity: Identity;
  readonly services: Services;
  readonly decide: (identity: Identity, method: Method) => Decision;
  /** Bytes that came with the handshake. */
  readonly initial?: Uint8Array;
  /** No TLS on this connection. */
  readonly plain: boolean;
  readonly peer: string;
  readonly onCall?: (record: CallRecord) => void;
  readonly log: (line: string) => void;
}

const NEWLINE = Uint8Array.of(10);

class CallState implements Call {
  subject = '';
  failure?: ImageServerError;
  readonly transport = 'srpc';
  constructor(
    readonly identity: Identity,
    readonly methodAccess: boolean,
    readonly peer: string,
    readonly signal: AbortSignal,
  ) {}
}

/** Values yielded to several listeners are encoded once; only their definitions are sent to each. */
const encodedItems = new WeakMap<object, Uint8Array>();

class Connection {
  readonly #reader: SocketReader;
  readonly #writer: SocketWriter;
  readonly #gone = new AbortController();
  readonly #socket: Socket;
  readonly #options: SrpcOptions;

  constructor(socket: Socket, options: SrpcOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new SocketReader(socket, options.initial);
    this.#writer = new SocketWriter(socket, options.plain);
    socket.on('close', () => this.#gone.abort());
  }

  async run(): Promise<void> {
    const { log, peer } = this.#options;
    try {
      for (;;) {
        const next = this.#reader.readLine();
        const line = typeof next === 'string' ? next : await next;
        if (line === undefined) break;
        if (!(await this.#call(line.trim()))) break;
      }
      await this.#writer.flush();
      this.#socket.end();
    } catch (thrown) {
      const error = asImageServerError(thrown);
      if (error.code === 'INTERNAL') log(`SRPC connection from ${peer} failed: ${String(error.cause)}`);
      this.#socket.destroySoon();
    }
  }

  /** False ends the connection. */
  #call(line: string): boolean | Promise<boolean> {
    if (line === '') return this.#say(NEWLINE);
    const parts = line.split('.');
    if (parts.length !== 2) return this.#sayText(`malformed Service.Method: ${line}`);
    const [service = '', name = ''] = parts;
    if (!serviceNames.has(service)) return this.#sayText(`unknown service: ${service}`);
    const method = methods.get(line);
    if (!method) return this.#sayText(`${service}: unknown method: ${name}`);
    const { identity, decide, peer, onCall } = this.#options;
    const decision = decide(identity, method);
    if (!decision.allowed) {
      onCall?.({ method, identity, peer, decision, subject: '', error: undefined, milliseconds: 0 });
      return this.#sayText('access to method denied');
    }
    return this.#accepted(method, decision);
  }

  async #accepted(method: Method, decision: Decision): Promise<boolean> {
    const { identity, peer, onCall, coder: name } = this.#options;
    const started = performance.now();
    // The acceptance byte may wait for the reply only if the request is here already.
    this.#writer.write(NEWLINE);
    if (this.#reader.buffered === 0 || (method.shape !== 'unary' && method.shape !== 'lines'))
      await this.#writer.flush();
    const call = new CallState(identity, decision.methodAccess, peer, this.#gone.signal);
    let error: ImageServerError | undefined;
    try {
      error = await this.#dispatch(method, makeCoder(name, this.#reader), call);
      await this.#writer.flush();
      return true;
    } catch (thrown) {
      // A method that has no way to report an error ends the connection.
      error = asImageServerError(thrown);
      await Promise.resolve(this.#writer.flush()).catch(() => undefined);
      throw error;
    } finally {
      onCall?.({
        method,
        identity,
        peer,
        decision,
        subject: call.subject,
        error: error ?? call.failure,
        milliseconds: performance.now() - started,
      });
    }
  }

  /** Runs the method; returns the error that was told to the client, throws those that cannot be told. */
  #dispatch(method: Method, coder: Coder, call: CallState): Promise<ImageServerError | undefined> {
    const { services } = this.#options;
    switch (method.shape) {
      case 'unary':
        return this.#replying(coder, method.reply, async () => {
          const next = coder.receive(method.request);
          const request = next instanceof Promise ? await next : next;
          if (request === undefined) throw new ImageServerError('INVALID_REQUEST', 'EOF');
          const reply = method.handle(services, request, call);
          return reply instanceof Promise ? await reply : reply;
        });
      case 'imageUpload':
        return this.#replying(coder, method.reply, async () =>
          method.handle(services, await coder.receiveImage(), call),
        );
      case 'lines':
        return this.#lines(method.handle(services, call));
      case 'stream':
        return this.#stream(method, coder, call);
      case 'channel':
        return method.handle(services, this.#channel(coder), call).then(() => undefined);
    }
  }

  async #lines(text: Uint8Array): Promise<undefined> {
    await this.#writer.write(text);
    return undefined;
  }

  async #replying(
    coder: Coder,
    schema: Schema,
    work: () => Promise<unknown>,
  ): Promise<ImageServerError | undefined> {
    let chunks: readonly Uint8Array[];
    try {
      const reply = await work();
      if (!(reply instanceof Prepared)) chunks = [coder.encode(schema, reply as never)];
      else if (this.#options.coder === 'gob') chunks = await reply.gob();
      else chunks = [coder.encode(schema, (await reply.value()) as never)];
    } catch (thrown) {
      const error = asImageServerError(thrown);
      if (error.code === 'INTERNAL')
        this.#options.log(`call failed: ${String((error.cause as Error)?.stack ?? error.cause)}`);
      await this.#writer.writeText(`${errorLine(error)}\n`);
      return error;
    }
    this.#writer.write(NEWLINE);
    for (const chunk of chunks) await this.#writer.write(chunk);
    return undefined;
  }

  async #stream(method: StreamMethod, coder: Coder, call: CallState): Promise<undefined> {
    // A live stream has no other end than the client's.
    const listening = new AbortController();
    const stop = () => listening.abort();
    this.#socket.on('end', stop);
    this.#socket.on('close', stop);
    if (this.#reader.ended && method.live) setImmediate(stop);
    const streamCall = method.live
      ? new CallState(call.identity, call.methodAccess, call.peer, listening.signal)
      : call;
    let flushing: Promise<void> | undefined;
    try {
      let first = true;
      for await (const item of method.handle(this.#options.services, undefined, streamCall)) {
        await this.#writer.write(this.#item(method, coder, item, first));
        first = false;
        // Bursts share a flush; nothing waits longer than the current turn.
        if (method.live)
          flushing ??= new Promise((resolve, reject) => {
            setImmediate(() => {
              flushing = undefined;
              try {
                Promise.resolve(this.#writer.flush()).then(resolve, reject);
              } catch (error) {
                reject(error);
              }
            });
          });
        flushing?.catch(stop);
      }
      if (method.end !== undefined) await this.#writer.write(coder.encode(method.item, method.end));
    } finally {
      this.#socket.off('end', stop);
      this.#socket.off('close', stop);
    }
    if (method.live) this.#socket.end();
    return undefined;
  }

  #item(method: StreamMethod, coder: Coder, item: unknown, first: boolean): Uint8Array {
    if (first || !method.live || this.#options.coder !== 'gob') return coder.encode(method.item, item);
    let bytes = encodedItems.get(item as object);
    if (!bytes) {
      bytes = coder.encode(method.item, item);
      encodedItems.set(item as object, bytes);
    }
    return bytes;
  }

  #channel(coder: Coder): Channel {
    const reader = this.#reader;
    const writer = this.#writer;
    return {
      receive: async <S extends Schema>(schema: S): Promise<ValueOf<S> | undefined> => coder.receive(schema),
      bytes: (length) => reader.bytes(length),
      take: (length) => reader.take(length),
      send: (schema, value) => writer.write(coder.encode(schema, value)),
      write: (data) => writer.write(data),
      sendObject: (object: ObjectReader) => writer.sendFile(object.fd, 0, object.size),
      flush: async () => writer.flush(),
    };
  }

  async #say(data: Uint8Array): Promise<boolean> {
    await this.#writer.write(data);
    await this.#writer.flush();
    return true;
  }
  #sayText(text: string): Promise<boolean> {
    return this.#say(Buffer.from(`${text.replace(/[\r\n]+/g, ' ')}\n`, 'utf8'));
  }
}

/** Serves calls on a connection whose handshake is over, until it ends. Never rejects. */
export function serveSrpc(socket: Socket, options: SrpcOptions): Promise<void> {
  return new Connection(socket, options).run();
}
