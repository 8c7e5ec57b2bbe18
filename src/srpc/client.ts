/** The SRPC client: dials, shakes hands, calls. One call at a time on a connection. */
import { connect as dial, type Socket } from 'node:net';
import { ImageServerError } from '../errors.ts';
import type { ObjectReader } from '../store/types.ts';
import { GobDecoder } from '../wire/gob/decoder.ts';
import { GobEncoder } from '../wire/gob/encoder.ts';
import type { Schema, StructSchema, ValueOf } from '../wire/schema.ts';
import { SocketReader } from './reader.ts';
import { SocketWriter } from './writer.ts';

/** An error line of the server, verbatim. */
export class RemoteError extends ImageServerError {
  constructor(message: string) {
    super(codeOf(message), message);
    this.name = 'RemoteError';
  }
}

/** The stable code behind a text of the original or ours. */
function codeOf(text: string): ImageServerError['code'] {
  if (/^access to method denied|no access to image|no membership of/.test(text)) return 'ACCESS_DENIED';
  if (/already exists/.test(text)) return 'IMAGE_EXISTS';
  if (/image (does not exist|not found)/.test(text)) return 'IMAGE_NOT_FOUND';
  if (/not available|unknown objects?/.test(text)) return 'OBJECTS_MISSING';
  if (/unknown (service|method)/.test(text)) return 'METHOD_NOT_FOUND';
  if (/no space left/.test(text)) return 'NO_SPACE';
  return 'INVALID_REQUEST';
}

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** Milliseconds for dialling and the handshake. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The two sides of one streaming call. */
export interface ClientChannel {
  receive<S extends Schema>(schema: S): Promise<ValueOf<S> | undefined>;
  send<S extends Schema>(schema: S, value: ValueOf<S>): void | Promise<void>;
  write(data: Uint8Array): void | Promise<void>;
  sendFile(object: Pick<ObjectReader, 'fd' | 'size'>, offset?: number): Promise<void>;
  flush(): Promise<void>;
  bytes(length: number): AsyncIterable<Uint8Array>;
  take(length: number): Promise<Uint8Array>;
  readLine(): Promise<string>;
  /** The raw source of gob messages, for values that stay encoded. */
  readonly messages: SocketReader;
  /** The call is over; the connection may be used for the next one. */
  end(): void;
}

export interface SrpcClient {
  call<Q extends StructSchema, R extends StructSchema>(
    method: string,
    request: Q,
    reply: R,
    value: ValueOf<Q>,
  ): Promise<ValueOf<R>>;
  open(method: string): Promise<ClientChannel>;
  ping(): Promise<void>;
  close(): void;
  readonly closed: boolean;
}

const DEFAULT_TIMEOUT_MS = 15_000;

function dialError(error: NodeJS.ErrnoException, { host, port }: ConnectOptions): ImageServerError {
  const texts: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    EHOSTUNREACH: 'no route to host',
    ENOTFOUND: `dial tcp: lookup ${host}: no such host`,
    EAI_AGAIN: `dial tcp: lookup ${host}: temporary failure in name resolution`,
    ETIMEDOUT: 'connection timed out',
  };
  const text = texts[error.code ?? ''] ?? error.message;
  return new ImageServerError('UNAVAILABLE', `${host}:${port}: ${text}`, { cause: error });
}

function dialSocket(options: ConnectOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const host = options.host.replace(/\*.*$/, '').replace(/^\[(.*)\]$/, '$1');
    const socket = dial({ host, port: options.port, noDelay: true, keepAlive: true });
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(dialError(error, options));
    };
    const timer = setTimeout(
      () => fail(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })),
      options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    );
    options.signal?.addEventListener('abort', () => socket.destroy(), { once: true });
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

class Client implements SrpcClient {
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly socket: Socket,
    readonly reader: SocketReader,
    readonly writer: SocketWriter,
  ) {}

  get closed(): boolean {
    return this.socket.destroyed || this.reader.ended;
  }

  async line(): Promise<string> {
    const line = await this.reader.readLine();
    if (line === undefined) {
      this.close();
      throw new ImageServerError('UNAVAILABLE', 'EOF', { cause: this.reader.failure });
    }
    return line;
  }

  /** Calls wait for each other: the connection carries one at a time. */
  async #turn(): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    return resolve;
  }

  async call<Q extends StructSchema, R extends StructSchema>(
    method: string,
    request: Q,
    reply: R,
    value: ValueOf<Q>,
  ): Promise<ValueOf<R>> {
    const done = await this.#turn();
    try {
      this.writer.write(Buffer.from(`${method}\n`));
      await this.writer.flush();
      const accepted = await this.line();
      if (accepted !== '') throw new RemoteError(accepted);
      await this.writer.write(new GobEncoder().encode(request, value));
      await this.writer.flush();
      const error = await this.line();
      if (error !== '') throw new RemoteError(error);
      const result = await new GobDecoder(this.reader).decode(reply);
      if (result === undefined) throw new ImageServerError('UNAVAILABLE', 'EOF');
      return result;
    } catch (error) {
      if (!(error instanceof RemoteError)) this.close();
      throw error;
    } finally {
      done();
    }
  }

  async open(method: string): Promise<ClientChannel> {
    const done = await this.#turn();
    try {
      this.writer.write(Buffer.from(`${method}\n`));
      await this.writer.flush();
      const accepted = await this.line();
      if (accepted !== '') throw new RemoteError(accepted);
    } catch (error) {
      if (!(error instanceof RemoteError)) this.close();
      done();
      throw error;
    }
    const encoder = new GobEncoder();
    const decoder = new GobDecoder(this.reader);
    const { reader, writer } = this;
    return {
      receive: async (schema) => decoder.decode(schema),
      send: (schema, value) => writer.write(encoder.encode(schema, value)),
      write: (data) => writer.write(data),
      sendFile: (object, offset = 0) => writer.sendFile(object.fd, offset, object.size),
      flush: async () => writer.flush(),
      bytes: (length) => reader.bytes(length),
      take: (length) => reader.take(length),
      readLine: () => this.line(),
      messages: reader,
      end: done,
    };
  }

  async ping(): Promise<void> {
    const done = await this.#turn();
    try {
      this.writer.write(Buffer.from('\n'));
      await this.writer.flush();
      await this.line();
    } finally {
      done();
    }
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Opens a connection. Throws UNAVAILABLE with the texts of the original's tools, UNAUTHENTICATED if TLS is required. */
export async function connectSrpc(options: ConnectOptions): Promise<SrpcClient> {
  const socket = await dialSocket(options);
  const client = new Client(socket, new SocketReader(socket), new SocketWriter(socket, true));
  const where = `${options.host}:${options.port}`;
  const timer = setTimeout(() => socket.destroy(), options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  try {
    socket.write('CONNECT /_goSRPC_/ HTTP/1.0\n\n');
    const status = /^HTTP\/\d\.\d (\d+ ?.*?)\r?$/.exec(await client.line())?.[1] ?? '';
    while ((await client.line()).trim() !== '');
    if (status === '200 Connected to Go SRPC') return client;
    socket.destroy();
    if (status.startsWith('405'))
      throw new ImageServerError('UNAUTHENTICATED', `${where}: missing certificate`);
    if (status.startsWith('401')) throw new ImageServerError('UNAUTHENTICATED', `${where}: bad certificate`);
    if (status.startsWith('404')) throw new ImageServerError('UNAVAILABLE', `${where}: no SRPC endpoint`);
    throw new ImageServerError('UNAVAILABLE', `${where}: unexpected HTTP response: ${status}`);
  } finally {
    clearTimeout(timer);
  }
}
