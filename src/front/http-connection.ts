/**
 * HTTP/1 on a connection that the front has accepted: requests one after the other, each given to the application as a
 * fetch Request. (The runtime's own HTTP server can adopt a socket, too, but costs four times as much a request there
 * and reads bodies without backpressure.)
 */
import type { Identity } from '../access/identity.ts';
import { ImageServerError } from '../errors.ts';
import type { Deadlines } from '../srpc/deadlines.ts';
import type { PeerSocket } from '../srpc/peer-socket.ts';
import { SocketReader } from '../srpc/reader.ts';
import type { Stopping } from '../srpc/stopping.ts';
import { SocketWriter } from '../srpc/writer.ts';
import { type Refusal, refusalText } from './handshake.ts';
import { type AnswerContext, sendAnswer } from './http-answer.ts';
import { RequestBody } from './http-body.ts';
import { BadRequest, checkMethod, parseHead, type RequestHead, readHead } from './http-head.ts';

/** What the front knows of who asks. */
interface RequestInfo {
  readonly identity: Identity;
  /** Address of the peer without port. */
  readonly peer: string;
  /** Came over TLS. */
  readonly secure: boolean;
  /** Why the client certificate was refused: the handler answers nothing else then. */
  readonly refused?: string;
}
export type HttpHandler = (request: Request, info: RequestInfo) => Response | Promise<Response>;

export type BadRequestHandler = (refused: BadRequest, info: RequestInfo) => Response;

export interface HttpLimits {
  /** Bytes of the request line and all headers. */
  readonly headBytes: number;
  /** Milliseconds from the first byte of a head to its last. */
  readonly headMs: number;
  /** Milliseconds a connection may be idle between requests. */
  readonly idleMs: number;
  /** Milliseconds without a byte of a body, or without taking a byte of an answer. */
  readonly stallMs: number;
  /** A client that has closed its side still gets its answer; one that has to wait so many milliseconds has gone. */
  readonly goneMs: number;
}
export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  headBytes: 32 * 1024,
  headMs: 15_000,
  idleMs: 75_000,
  stallMs: 60_000,
  goneMs: 5_000,
};

export interface HttpOptions {
  readonly handler: HttpHandler;
  /** Makes the answer to what is no request, or none that is served. */
  readonly onBadRequest?: BadRequestHandler | undefined;
  /** What a request for the path of an SRPC endpoint is answered with; undefined for all other paths. */
  readonly endpointRefusal?: (path: string, query?: string) => Refusal | undefined;
  readonly info: RequestInfo;
  readonly initial?: Uint8Array;
  readonly limits: HttpLimits;
  readonly deadlines: Deadlines;
  readonly log: (line: string) => void;
  /** For lines about clients that are cut off, of which there may be many at once. */
  readonly logDropped: (line: string) => void;
  /** The server stops: the request under way is answered, then the connection closed. */
  readonly stopping: Stopping;
}

/** URLs are built with this host (the router wants one of four letters or more); the real one stays in the header. */
const URL_HOST = 'imageserver.local';
/** Bodies that are here already, up to this size, are handed over in one piece. */
const SMALL_BODY = 64 * 1024;
/** Of a body that nobody read, so much is taken to keep the connection. */
const MAX_DRAIN = 256 * 1024;
/** A client that is told to go gets so long to read its answer. */
const LINGER_MS = 2_000;
/** Pipelined requests answered before others get their turn. */
const IN_A_ROW = 32;
const NO_BODY = Symbol('a request without a body');
type Body = RequestBody | typeof NO_BODY;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

class HttpConnection {
  readonly #reader: SocketReader;
  readonly #writer: SocketWriter;
  readonly #waiting: (waiting: boolean) => void;
  readonly #waitingForBody: (waiting: boolean) => void;
  readonly #headLate = () => this.#tooLate('head');
  /** Of the answer under way; there is only one at a time. */
  readonly #context: { -readonly [K in keyof AnswerContext]: AnswerContext[K] };
  #request: AbortController | undefined;
  #cancelSource: (() => void) | undefined;
  #idle = true;
  /** The client waits for bytes of an answer, not we for the client. */
  #clientWaits = true;

  constructor(
    readonly socket: PeerSocket,
    readonly options: HttpOptions,
  ) {
    const { initial, deadlines, limits, info } = options;
    this.#writer = new SocketWriter(socket, !info.secure);
    this.#reader = new SocketReader(socket, {
      ...(initial ? { initial } : {}),
      onWait: () => this.#flushQuietly(),
    });
    const stalled = () =>
      socket.destroy(
        new ImageServerError(
          'TIMEOUT',
          `the client moved no byte for ${limits.stallMs / 1000} s (-stallTimeout)`,
        ),
      );
    this.#waiting = (waiting) => {
      this.#clientWaits = !waiting;
      if (waiting) deadlines.set(socket, limits.stallMs, stalled);
      else deadlines.clear(socket);
    };
    const bodyLate = () => this.#tooLate('body');
    this.#waitingForBody = (waiting) => {
      this.#clientWaits = !waiting;
      if (waiting) deadlines.set(socket, limits.stallMs, bodyLate);
      else deadlines.clear(socket);
    };
    this.#context = {
      writer: this.#writer,
      head: false,
      modern: true,
      keepAlive: true,
      waiting: this.#waiting,
      onSource: (cancel) => {
        this.#cancelSource = cancel;
      },
    };
    socket.once('end', () => this.#watchHalfClosed());
    socket.on('close', () => {
      deadlines.clear(socket);
      this.#giveUp();
    });
  }

  /** A client that has begun to ask and falls silent is told so. */
  #tooLate(what: string): void {
    this.#reader.cut(new BadRequest(408, `the rest of the request ${what} did not come in time`));
  }

  /** Tells whoever works on the answer that nobody waits for it any more. */
  #giveUp(): void {
    this.#request?.abort();
    this.#cancelSource?.();
  }

  /**
   * A client that has gone looks like one that has only said all it has to say. It matters where an answer may never end,
   * or not begin: after some time in which nothing could be sent, it has gone.
   */
  #watchHalfClosed(): void {
    const { socket } = this;
    let before = socket.bytesWritten;
    const watch = setInterval(() => {
      const now = socket.bytesWritten;
      if (now === before && this.#clientWaits) {
        this.#request?.abort();
        // Not ended as if it were complete.
        if (this.#cancelSource) socket.destroy();
      }
      before = now;
    }, this.options.limits.goneMs);
    watch.unref();
    socket.once('close', () => clearInterval(watch));
  }

  async run(): Promise<void> {
    const { options, socket } = this;
    const { stopping, limits, deadlines } = options;
    const stop = () => {
      if (this.#idle) this.#finish();
    };
    const begun = () => {
      if (!this.#idle) return;
      this.#idle = false;
      deadlines.set(socket, limits.headMs, this.#headLate);
    };
    stopping.add(stop);
    try {
      for (let inARow = 0; !socket.destroyed; ) {
        this.#idle = this.#reader.buffered === 0;
        if (this.#idle) deadlines.set(socket, limits.idleMs);
        else deadlines.set(socket, limits.headMs, this.#headLate);
        const next = readHead(this.#reader, limits.headBytes, begun);
        if (next instanceof Promise) inARow = 0;
        else if (++inARow % IN_A_ROW === 0) await new Promise((resolve) => setImmediate(resolve));
        const text = next instanceof Promise ? await next : next;
        deadlines.clear(socket);
        this.#idle = false;
        if (text === undefined) break;
        const head = parseHead(text);
        if (this.#isEndpoint(head.target)) break;
        checkMethod(head);
        const goOn = this.#answer(head);
        if (!(goOn instanceof Promise ? await goOn : goOn)) break;
        const blocked = this.#writer.ready();
        if (blocked) {
          this.#waiting(true);
          await blocked;
          this.#waiting(false);
        }
      }
    } catch (error) {
      if (error instanceof BadRequest) await this.#refuse(error);
      else {
        // Whatever was promised cannot be kept. A client that has gone by itself is not worth a line.
        if (!socket.destroyed || (error as Partial<ImageServerError>).code === 'TIMEOUT')
          options.logDropped(`HTTP answer to ${options.info.peer} broken off: ${(error as Error).message}`);
        socket.destroy();
      }
    } finally {
      stopping.delete(stop);
      this.#finish();
    }
  }

  #flushQuietly(): void {
    try {
      this.#writer.flush()?.catch(() => undefined);
    } catch {
      // The reader is told of the closed connection, too.
    }
  }

  async #refuse(refused: BadRequest): Promise<void> {
    const { socket, options } = this;
    if (socket.destroyed || socket.writableEnded) return;
    const response =
      options.onBadRequest?.(refused, options.info) ??
      new Response(`${refused.message}\n`, { status: refused.status });
    try {
      await sendAnswer(response, { ...this.#context, head: false, modern: true, keepAlive: false });
    } catch {
      // The client has gone; it was told to anyhow.
    }
  }

  #finish(): void {
    const { socket } = this;
    if (socket.destroyed) return;
    this.#flushQuietly();
    this.#reader.discard();
    socket.end();
    this.options.deadlines.set(socket, LINGER_MS);
  }

  /** Refuses what only CONNECT may ask for. */
  #isEndpoint(target: string): boolean {
    if (!target.startsWith('/_')) return false;
    const [path = '', query] = target.split(/\?(.*)/s, 2);
    const refusal = this.options.endpointRefusal?.(path, query);
    if (refusal) this.#writer.writeLatin1(refusalText(refusal));
    return refusal !== undefined;
  }

  /** Answers one request; whether the connection goes on. */
  #answer(head: RequestHead): boolean | Promise<boolean> {
    const { handler, info } = this.options;
    const begin = () => {
      if (head.expectsContinue) this.#writer.writeLatin1(CONTINUE);
    };
    const body =
      head.length === 0
        ? NO_BODY
        : new RequestBody(this.#reader, head.length, { begin, waiting: this.#waitingForBody });
    const request = this.#toRequest(head, body);
    let answer: Response | Promise<Response>;
    try {
      answer = handler(request, info);
    } catch (error) {
      answer = this.#failed(error);
    }
    // Without a step through the queue where nothing has to be waited for.
    return answer instanceof Promise ? this.#sendLater(answer, head, body) : this.#send(answer, head, body);
  }

  async #sendLater(pending: Promise<Response>, head: RequestHead, body: Body): Promise<boolean> {
    let response: Response;
    try {
      response = await pending;
    } catch (error) {
      response = this.#failed(error);
    }
    return this.#send(response, head, body);
  }

  #toRequest(head: RequestHead, body: Body): Request {
    const { secure } = this.options.info;
    const controller = new AbortController();
    this.#request = controller;
    const init: RequestInit & { duplex?: 'half' } = {
      method: head.method,
      headers: head.headers,
      signal: controller.signal,
    };
    if (body !== NO_BODY) {
      if (head.method === 'GET' || head.method === 'HEAD')
        throw new BadRequest(400, `${head.method} has no body`);
      init.body = body.whole(head.expectsContinue ? 0 : SMALL_BODY) ?? body.stream();
      init.duplex = 'half';
    }
    return new Request(`${secure ? 'https' : 'http'}://${URL_HOST}${head.target}`, init);
  }

  #failed(error: unknown): Response {
    this.options.log(`HTTP request failed: ${String((error as Error)?.stack ?? error)}`);
    return new Response('internal error\n', { status: 500 });
  }

  #send(response: Response, head: RequestHead, body: Body): boolean | Promise<boolean> {
    if (this.socket.destroyed) {
      response.body?.cancel().catch(() => undefined);
      return false;
    }
    // A body that nobody asked for may be endless, or never come.
    const skippable = body === NO_BODY || body.done || (!head.expectsContinue && body.drainable(MAX_DRAIN));
    const context = this.#context;
    // Nothing more is read after what came too late.
    const late = this.#reader.failure !== undefined;
    context.head = head.method === 'HEAD';
    context.modern = head.modern;
    context.keepAlive = head.keepAlive && skippable && !late && !this.options.stopping.begun;
    const sent = sendAnswer(response, context);
    return sent instanceof Promise ? sent.then((goOn) => this.#sent(goOn, body)) : this.#sent(sent, body);
  }

  /** After an answer; whether the connection goes on. */
  #sent(goOn: boolean, body: Body): boolean | Promise<boolean> {
    this.#request = undefined;
    return goOn && (body === NO_BODY || body.done || body.drain(MAX_DRAIN));
  }
}

/** Serves requests on a connection until it ends. Never rejects. */
export function serveHttp(socket: PeerSocket, options: HttpOptions): Promise<void> {
  return new HttpConnection(socket, options).run();
}
