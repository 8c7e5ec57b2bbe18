/** The SRPC client: calls on a connection, one at a time. */
import type { Socket } from 'node:net';
import { ImageServerError } from '../errors.ts';
import type { ObjectReader } from '../store/types.ts';
import { GobDecoder } from '../wire/gob/decoder.ts';
import { GobEncoder } from '../wire/gob/encoder.ts';
import type { Schema, StructSchema, ValueOf } from '../wire/schema.ts';
import { type ConnectOptions, type Established, establish } from './connect.ts';
import { tlsText } from './dial.ts';
import { type LineLimits, SocketReader } from './reader.ts';
import { RemoteError } from './remote-error.ts';
import { SocketWriter } from './writer.ts';

export type { ClientTlsOptions, ConnectOptions } from './connect.ts';
export { RemoteError } from './remote-error.ts';

/** The two sides of one streaming call. */
export interface ClientChannel {
  /** The next value, at once if it is here already; undefined if the server closed between values. */
  receive<S extends Schema>(schema: S): ValueOf<S> | undefined | Promise<ValueOf<S> | undefined>;
  /** Buffered; a promise, if one is returned, tells when more may be sent. */
  send<S extends Schema>(schema: S, value: ValueOf<S>): void | Promise<void>;
  write(data: Uint8Array): void | Promise<void>;
  /** Sends `size` bytes of an open file from `offset`; small ones are read and gathered at once. */
  sendFile(object: Pick<ObjectReader, 'fd' | 'size'>, offset?: number): void | Promise<void>;
  flush(): Promise<void>;
  /** The next `length` raw bytes; each chunk is only valid until the next is asked for. */
  bytes(length: number): AsyncIterable<Uint8Array>;
  /** All of them in one piece, at once if they are here already. */
  take(length: number): Uint8Array | Promise<Uint8Array>;
  /** A line of text, e.g. the status line: empty = success. */
  readLine(): Promise<string>;
  /** The raw source of gob messages, for values that stay encoded. */
  readonly messages: SocketReader;
  /** The call is over; the connection may be used for the next one. */
  end(): void;
}

interface CallOptions {
  /** The connection is closed if the answer is not there by then. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface SrpcClient {
  /** Throws RemoteError with the server's text; any other failure closes the connection. */
  call<Q extends StructSchema, R extends StructSchema>(
    method: string,
    request: Q,
    reply: R,
    value: ValueOf<Q>,
    options?: CallOptions,
  ): Promise<ValueOf<R>>;
  open(method: string): Promise<ClientChannel>;
  ping(): Promise<void>;
  close(): void;
  readonly closed: boolean;
}

/** Lines of a server: error texts, names of images. */
const ANSWER_LINE: LineLimits = { maxBytes: 1024 * 1024, timeoutMs: 0 };

class Client implements SrpcClient {
  readonly #socket: Socket;
  readonly #reader: SocketReader;
  readonly #writer: SocketWriter;
  #busy = false;
  readonly #waiting: (() => void)[] = [];

  constructor({ socket, plain, rest }: Established, signal?: AbortSignal) {
    this.#socket = socket;
    this.#writer = new SocketWriter(socket, plain);
    this.#reader = new SocketReader(socket, { initial: rest, onWait: () => this.#flushQuietly() });
    const abort = () => socket.destroy();
    signal?.addEventListener('abort', abort);
    socket.once('close', () => {
      signal?.removeEventListener('abort', abort);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    if (signal?.aborted) abort();
  }

  get closed(): boolean {
    return this.#socket.destroyed || this.#reader.ended;
  }

  #flushQuietly(): void {
    try {
      Promise.resolve(this.#writer.flush()).catch(() => undefined);
    } catch {
      // The reader is told of the closed connection, too.
    }
  }

  async #line(): Promise<string> {
    const line = await this.#reader.readLine(ANSWER_LINE);
    if (line === undefined) throw this.#ended();
    return Buffer.from(line, 'latin1').toString('utf8');
  }

  #ended(): ImageServerError {
    const { failure } = this.#reader;
    const text = failure === undefined ? 'EOF' : tlsText(failure);
    return new ImageServerError('UNAVAILABLE', text, failure === undefined ? {} : { cause: failure });
  }

  /** Calls wait for each other: the connection carries one at a time. Resolves with what ends the turn. */
  async #turn(): Promise<() => void> {
    if (this.#busy && !this.closed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.closed) throw this.#ended();
    this.#busy = true;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const next = this.#waiting.shift();
      // The turn is handed over, so that nobody who comes now is faster.
      if (next) next();
      else this.#busy = false;
    };
  }

  /** Begins a call: says the method, waits until it is accepted. */
  async #begin(method: string): Promise<void> {
    this.#writer.writeLatin1(`${method}\n`);
    const accepted = await this.#line();
    if (accepted !== '') throw new RemoteError(accepted);
  }

  async call<Q extends StructSchema, R extends StructSchema>(
    method: string,
    request: Q,
    reply: R,
    value: ValueOf<Q>,
    options: CallOptions = {},
  ): Promise<ValueOf<R>> {
    const done = await this.#turn();
    let reason: ImageServerError | undefined;
    const giveUp = (error: ImageServerError) => {
      reason = error;
      this.close();
    };
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => giveUp(new ImageServerError('TIMEOUT', 'timed out')), options.timeoutMs);
    const abort = () => giveUp(new ImageServerError('CANCELLED', 'cancelled'));
    options.signal?.addEventListener('abort', abort);
    try {
      if (options.signal?.aborted) abort();
      await this.#begin(method);
      const blocked = this.#writer.write(new GobEncoder().encode(request, value));
      if (blocked) await blocked;
      const error = await this.#line();
      if (error !== '') throw new RemoteError(error);
      const result = await new GobDecoder(this.#reader).decode(reply);
      if (result === undefined) throw this.#ended();
      return result;
    } catch (error) {
      if (!(error instanceof RemoteError)) this.close();
      throw reason ?? error;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
      done();
    }
  }

  async open(method: string): Promise<ClientChannel> {
    const done = await this.#turn();
    try {
      await this.#begin(method);
    } catch (error) {
      if (!(error instanceof RemoteError)) this.close();
      done();
      throw error;
    }
    const encoder = new GobEncoder();
    const decoder = new GobDecoder(this.#reader);
    const reader = this.#reader;
    const writer = this.#writer;
    return {
      receive: (schema) => decoder.decode(schema),
      send: (schema, value) => writer.write(encoder.encode(schema, value)),
      write: (data) => writer.write(data),
      sendFile: (object, offset = 0) => writer.sendFile(object.fd, offset, object.size),
      flush: async () => writer.flush(),
      bytes: (length) => reader.bytes(length),
      take: (length) => reader.take(length),
      readLine: () => this.#line(),
      messages: reader,
      end: done,
    };
  }

  async ping(): Promise<void> {
    const done = await this.#turn();
    try {
      this.#writer.writeByte(10);
      const answer = await this.#line();
      // Servers that send a client away in the middle of the protocol say why.
      if (answer !== '') throw new RemoteError(answer);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      done();
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/**
 * Opens a connection. Throws with the texts of the original's tools: UNAVAILABLE (`host:port: connection refused`, `no
 * such host`, `no SRPC endpoint` …), UNAUTHENTICATED (`missing certificate`, `bad certificate`), TIMEOUT, CANCELLED.
 */
export function connectSrpc(options: ConnectOptions): Promise<SrpcClient> {
  return establish(options, async (established) => {
    const client = new Client(established, options.signal);
    // TLS 1.3 tells that a certificate is refused only after the handshake: a ping finds out.
    if (!established.plain) await client.ping();
    return client;
  });
}
