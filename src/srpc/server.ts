/** The SRPC call loop: method lines in, one call at a time, driven by the table of methods. */
import type { Decision } from '../access/decision.ts';
import type { Identity } from '../access/identity.ts';
import { asImageServerError, errorLine, ImageServerError } from '../errors.ts';
import {
  type Channel,
  type ChannelMethod,
  type ImageUploadMethod,
  type Method,
  Prepared,
  type PreparedGob,
  type PreparedValue,
  type StreamMethod,
  type TextStream,
  type TextStreamMethod,
  type UnaryMethod,
} from '../methods/method.ts';
import type { Services } from '../methods/services.ts';
import { methods as allMethods } from '../methods/table.ts';
import type { ImageFile, ObjectReader } from '../store/types.ts';
import { goJsonChunks } from '../wire/json.ts';
import type { StructSchema } from '../wire/schema.ts';
import { type Caller, type CallRecord, SrpcCall } from './call.ts';
import { type Coder, type CoderName, makeCoder } from './coder.ts';
import { Deadlines, Patience } from './deadlines.ts';
import type { PeerSocket } from './peer-socket.ts';
import { type LineLimits, SocketReader } from './reader.ts';
import type { Stopping } from './stopping.ts';
import { sendEvents, sendList, sendText } from './stream.ts';
import { SocketWriter } from './writer.ts';

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
  /** The client gave up what its certificate grants: it has what is public and what it owns. */
  readonly withoutPowers?: boolean;
  readonly methodLine?: LineLimits;
  /** In the middle of a call a peer that moves no byte for so long, either way, is cut off, milliseconds. */
  readonly stallMs?: number;
  /** Told of every call that ended or was refused; must be quick and must not throw. */
  readonly onCall?: (record: CallRecord) => void;
  readonly log: (line: string) => void;
  /** Set for a moment after the start: calls wait for it. If it fails the connection is closed. */
  readonly opening?: () => Promise<void> | undefined;
  /** For lines about listeners that are cut off, of which there may be many at once; `log` if undefined. */
  readonly logDropped?: (line: string) => void;
  /** The server stops: calls under way are finished, nothing new is begun. */
  readonly stopping?: Stopping;
  /** Of tests. */
  readonly methods?: ReadonlyMap<string, Method>;
}

const DEFAULT_METHOD_LINE: LineLimits = { maxBytes: 4096, timeoutMs: 30_000 };
const DEFAULT_STALL_MS = 300_000;
/** Of all connections. */
const deadlines = new Deadlines();
/** A peer that is told to go gets so long to read what was sent before, milliseconds. */
const LINGER_MS = 2_000;
/** Calls answered without a wait before others get their turn. */
const CALLS_A_TURN = 64;
const NEWLINE = 10;

const servicesOf = new WeakMap<ReadonlyMap<string, Method>, ReadonlySet<string>>();
function serviceNames(methods: ReadonlyMap<string, Method>): ReadonlySet<string> {
  let names = servicesOf.get(methods);
  if (!names) {
    names = new Set([...methods.keys()].map((name) => name.slice(0, name.indexOf('.'))));
    servicesOf.set(methods, names);
  }
  return names;
}

const REFUSED: Decision = { allowed: false, methodAccess: false, reason: 'not granted by the certificate' };

class Connection implements Caller {
  readonly #reader: SocketReader;
  readonly #writer: SocketWriter;
  #gone: AbortController | undefined;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #methodLine: LineLimits;
  #idle = false;

  constructor(
    readonly socket: PeerSocket,
    readonly options: SrpcOptions,
  ) {
    this.#methods = options.methods ?? allMethods;
    this.#methodLine = options.methodLine ?? DEFAULT_METHOD_LINE;
    const stallMs = options.stallMs ?? DEFAULT_STALL_MS;
    const patience = new Patience(
      socket,
      deadlines,
      stallMs,
      () => new ImageServerError('TIMEOUT', `the peer moved no byte for ${stallMs / 1000} s (-stallTimeout)`),
    );
    this.#writer = new SocketWriter(socket, options.plain, patience);
    this.#reader = new SocketReader(socket, {
      patience,
      ...(options.initial ? { initial: options.initial } : {}),
      // The peer waits for what we have gathered as we wait for it.
      onWait: () => this.#flushQuietly(),
    });
    socket.on('close', () => this.#gone?.abort());
  }

  get signal(): AbortSignal {
    if (!this.#gone) {
      this.#gone = new AbortController();
      if (this.socket.destroyed) this.#gone.abort();
    }
    return this.#gone.signal;
  }

  async run(): Promise<void> {
    const { stopping, log, peer } = this.options;
    const stop = () => {
      if (this.#idle) this.#finish();
    };
    stopping?.add(stop);
    try {
      for (let calls = 1; !stopping?.begun; calls++) {
        const blocked = this.#writer.ready();
        if (blocked) await blocked;
        const next = this.#reader.readLine(this.#methodLine);
        let line: string | undefined;
        if (next instanceof Promise) {
          this.#idle = true;
          line = await next;
          this.#idle = false;
          calls = 0;
        } else line = next;
        if (line === undefined) break;
        const opening = this.options.opening?.();
        if (opening) await opening;
        const outcome = this.#call(line.trim());
        if (outcome instanceof Promise) await outcome;
        if (calls >= CALLS_A_TURN) {
          await new Promise((resolve) => setImmediate(resolve));
          calls = 0;
        }
      }
    } catch (thrown) {
      const error = asImageServerError(thrown);
      if (error.code === 'INTERNAL')
        log(`SRPC connection from ${peer} failed: ${String((error.cause as Error)?.stack ?? error.cause)}`);
    } finally {
      stopping?.delete(stop);
      this.#finish();
    }
  }

  #flushQuietly(): void {
    try {
      // Whether the socket takes more is asked before the next call.
      Promise.resolve(this.#writer.flush()).catch(() => undefined);
    } catch {
      // The reader is told of the closed connection, too.
    }
  }

  /** What was written still goes out; what comes in is not looked at any more. */
  #finish(): void {
    const { socket } = this;
    if (socket.destroyed) return;
    this.#flushQuietly();
    if (this.#reader.ended && socket.writableLength === 0) {
      socket.destroy();
      return;
    }
    this.#reader.discard();
    socket.end();
    // Closing with unread bytes would reset the connection and could take the last answer with it.
    const linger = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(linger));
  }

  #decide(method: Method): Decision {
    const { identity, decide, withoutPowers } = this.options;
    const decision = decide(identity, method);
    if (!withoutPowers || !decision.methodAccess) return decision;
    if (identity.methods === 'all') return { ...decision, methodAccess: false };
    return method.public ? { ...decision, methodAccess: false, reason: 'public method' } : REFUSED;
  }

  #call(line: string): void | Promise<void> {
    if (line === '') return this.#writer.writeByte(NEWLINE);
    const method = this.#methods.get(line);
    if (!method) return this.#writer.writeLatin1(this.#unknown(line));
    const decision = this.#decide(method);
    if (!decision.allowed) {
      this.#record(method, undefined, decision, undefined, 0);
      return this.#writer.writeLatin1('access to method denied\n');
    }
    // Leaves with the answer, or as soon as we wait for the request.
    this.#writer.writeByte(NEWLINE);
    const { identity, peer } = this.options;
    const call = new SrpcCall(identity, decision.methodAccess, peer, this);
    const started = performance.now();
    const coder = makeCoder(this.options.coder, this.#reader);
    if (method.shape === 'unary') return this.#unary(method, coder, call, decision, started);
    return this.#longCall(method, coder, call, decision, started);
  }

  #unknown(line: string): string {
    const dot = line.indexOf('.');
    if (dot < 0 || dot !== line.lastIndexOf('.')) return `malformed Service.Method: ${line}\n`;
    const service = line.slice(0, dot);
    if (!serviceNames(this.#methods).has(service)) return `unknown service: ${service}\n`;
    return `${service}: unknown method: ${line.slice(dot + 1)}\n`;
  }

  #record(
    method: Method,
    call: SrpcCall | undefined,
    decision: Decision,
    error: ImageServerError | undefined,
    milliseconds: number,
  ): void {
    const { onCall, identity, peer } = this.options;
    onCall?.({ method, call, identity, peer, decision, error, milliseconds });
  }

  /** Everything that is here already is answered without a promise. */
  #unary(
    method: UnaryMethod,
    coder: Coder,
    call: SrpcCall,
    decision: Decision,
    started: number,
  ): void | Promise<void> {
    let error: ImageServerError | undefined;
    try {
      const request = coder.receive(method.request);
      if (request instanceof Promise)
        return this.#unaryLater(
          method,
          coder,
          call,
          decision,
          started,
          request.then((value) => this.#handle(method, value, call)),
        );
      const reply = this.#handle(method, request, call);
      if (reply instanceof Promise || reply instanceof Prepared) {
        // It may take its time: the peer shall know that it has been accepted.
        if (reply instanceof Promise) this.#flushQuietly();
        return this.#unaryLater(method, coder, call, decision, started, reply);
      }
      this.#reply(coder.encode(method.reply, reply as never));
    } catch (thrown) {
      error = this.#fail(thrown, method);
    }
    this.#record(method, call, decision, error ?? call.failure, performance.now() - started);
  }

  #handle(method: UnaryMethod, request: unknown, call: SrpcCall) {
    if (request === undefined) throw new ImageServerError('INVALID_REQUEST', 'EOF');
    return method.handle(this.options.services, request, call);
  }

  async #unaryLater(
    method: UnaryMethod | ImageUploadMethod,
    coder: Coder,
    call: SrpcCall,
    decision: Decision,
    started: number,
    pending: unknown,
  ): Promise<void> {
    let error: ImageServerError | undefined;
    try {
      const reply = await pending;
      if (!(reply instanceof Prepared)) this.#reply(coder.encode(method.reply, reply as never));
      else if (coder.name === 'json') await this.#replyInPieces(method.reply, await reply.value());
      else {
        await this.#replyInParts(await reply.gob());
      }
    } catch (thrown) {
      error = this.#fail(thrown, method);
    }
    this.#record(method, call, decision, error ?? call.failure, performance.now() - started);
  }

  #reply(value: Uint8Array): void {
    this.#writer.writeByte(NEWLINE);
    this.#writer.write(value);
  }

  async #replyInParts({ parts, file }: PreparedGob): Promise<void> {
    try {
      this.#writer.writeByte(NEWLINE);
      for (const part of parts) {
        if (part instanceof Uint8Array) await this.#writer.write(part);
        else await this.#writer.sendFile((file as ImageFile).fd, part.start, part.length);
      }
    } finally {
      file?.close();
    }
  }

  /** A large JSON value, made while it is sent. */
  async #replyInPieces(schema: StructSchema, { value, use }: PreparedValue): Promise<void> {
    const pieces = goJsonChunks(schema, value)[Symbol.iterator]();
    let begun = false;
    try {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        await use();
        const { value: piece, done } = pieces.next();
        if (done) break;
        if (!begun) this.#writer.writeByte(NEWLINE);
        begun = true;
        await this.#writer.write(Buffer.from(piece));
      }
      this.#writer.writeByte(NEWLINE);
    } catch (thrown) {
      // Half a value cannot be taken back.
      if (begun) this.socket.destroy();
      throw thrown;
    }
  }

  /** Tells the client in the place of an answer. */
  #fail(thrown: unknown, method: Method): ImageServerError {
    const error = asImageServerError(thrown);
    if (error.code === 'INTERNAL')
      this.options.log(`${method.name} failed: ${String((error.cause as Error)?.stack ?? error.cause)}`);
    this.#writer.write(Buffer.from(`${errorLine(error)}\n`, 'utf8'));
    return error;
  }

  /** Calls that take more than one message each way. */
  async #longCall(
    method: Exclude<Method, UnaryMethod>,
    coder: Coder,
    call: SrpcCall,
    decision: Decision,
    started: number,
  ): Promise<void> {
    const { services } = this.options;
    if (method.shape === 'imageUpload') {
      const pending = coder.receiveImage().then((upload) => method.handle(services, upload, call));
      return this.#unaryLater(method, coder, call, decision, started, pending);
    }
    let error: ImageServerError | undefined;
    try {
      if (method.shape === 'lines') await this.#writer.write(method.handle(services, call));
      else if (method.shape === 'channel') await this.#channelCall(method, coder, call);
      else if (method.shape === 'text') await this.#text(method, coder, call);
      else if (method.live) await this.#live(method, coder, call);
      else await sendList(method, services, coder, this.#writer, call);
    } catch (thrown) {
      // Such a method has no way to tell: what was written is sent and the connection is closed.
      error = asImageServerError(thrown);
      throw error;
    } finally {
      this.#record(method, call, decision, error ?? call.failure, performance.now() - started);
    }
  }

  #live(method: StreamMethod, coder: Coder, call: SrpcCall): Promise<void> {
    const listening = new AbortController();
    const listener = new SrpcCall(call.identity, call.methodAccess, call.peer, listening);
    return this.#listen(method, listening, () =>
      sendEvents(method, this.options.services, coder, this.#writer, listener),
    );
  }

  async #text(method: TextStreamMethod, coder: Coder, call: SrpcCall): Promise<void> {
    const request = await coder.receive(method.request);
    if (request === undefined) throw new ImageServerError('INVALID_REQUEST', 'EOF');
    const listening = new AbortController();
    const listener = new SrpcCall(call.identity, call.methodAccess, call.peer, listening);
    let stream: TextStream;
    try {
      stream = method.handle(this.options.services, request, listener);
    } catch (thrown) {
      call.failure = asImageServerError(thrown);
      this.#writer.write(coder.encode(method.reply, { Error: errorLine(call.failure) }));
      return;
    }
    const reply = coder.encode(method.reply, { Error: '' });
    await this.#listen(method, listening, () => sendText(stream, reply, this.#writer));
  }

  /** Runs `send` until the client goes or the server stops; always throws, as the connection cannot go on. */
  async #listen(method: Method, listening: AbortController, send: () => Promise<void>): Promise<never> {
    const { socket } = this;
    const { stopping, log, logDropped = log, peer } = this.options;
    // Nothing that the client says matters any more except that it goes.
    const stop = () => listening.abort();
    this.#reader.discard();
    await this.#writer.flush();
    socket.on('end', stop);
    socket.on('close', stop);
    stopping?.add(stop);
    if (this.#reader.ended || stopping?.begun) setImmediate(stop);
    try {
      await send();
    } catch (thrown) {
      const error = asImageServerError(thrown);
      if (error.code !== 'CANCELLED')
        logDropped(`${method.name}: dropped listener ${peer}: ${error.message}`);
      throw error;
    } finally {
      stopping?.delete(stop);
      socket.off('end', stop);
      socket.off('close', stop);
    }
    throw new ImageServerError('CANCELLED', 'the listener has gone');
  }

  async #channelCall(method: ChannelMethod, coder: Coder, call: SrpcCall): Promise<void> {
    const reader = this.#reader;
    const writer = this.#writer;
    const channel: Channel = {
      receive: (schema) => coder.receive(schema),
      bytes: (length) => reader.bytes(length),
      take: (length) => reader.take(length),
      send: (schema, value) => writer.write(coder.encode(schema, value)),
      write: (data) => writer.write(data),
      sendObject: async (object: ObjectReader) => writer.sendFile(object.fd, 0, object.size),
      gather: (length, fill) => writer.gather(length, fill),
      flush: async () => writer.flush(),
    };
    await method.handle(this.options.services, channel, call);
  }
}

/** Serves calls on a connection whose handshake is over, until it ends. Never rejects. */
export function serveSrpc(socket: PeerSocket, options: SrpcOptions): Promise<void> {
  return new Connection(socket, options).run();
}
