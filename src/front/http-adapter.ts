/** HTTP on sockets handed over by the front: node's parser, the fetch-like handler of the application. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Identity } from '../access/identity.ts';

export interface RequestInfo {
  readonly identity: Identity;
  /** Address of the peer without port. */
  readonly peer: string;
  /** Came over TLS. */
  readonly secure: boolean;
}
export type HttpHandler = (request: Request, info: RequestInfo) => Response | Promise<Response>;

/** URLs are built with this host (the router wants one of four letters or more); the real one stays in the header. */
const URL_HOST = 'imageserver.local';
/** Bytes of a body that may wait in memory while the handler is slow. */
const BODY_HIGH_WATER = 1024 * 1024;

export interface HttpAdapter {
  /** Takes over a socket; `initial` are bytes read from it already. */
  adopt(socket: Socket, info: RequestInfo): void;
  close(): void;
}

/** The request's body with backpressure: the socket is paused while the handler does not read. */
function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  const { socket } = message;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        message.on('data', (chunk: Uint8Array) => {
          controller.enqueue(new Uint8Array(chunk));
          if ((controller.desiredSize ?? 0) <= 0) {
            message.pause();
            socket.pause();
          }
        });
        message.on('end', () => {
          socket.resume();
          controller.close();
        });
        message.on('aborted', () => controller.error(new Error('request aborted')));
        message.on('error', (error) => controller.error(error));
      },
      pull() {
        socket.resume();
        message.resume();
      },
      cancel() {
        socket.resume();
        message.resume();
      },
    },
    { highWaterMark: BODY_HIGH_WATER, size: (chunk) => chunk?.length ?? 0 },
  );
}

function toRequest(message: IncomingMessage, secure: boolean, signal: AbortSignal): Request {
  const headers = new Headers();
  for (let index = 0; index < message.rawHeaders.length; index += 2)
    headers.append(message.rawHeaders[index] as string, message.rawHeaders[index + 1] as string);
  const method = message.method ?? 'GET';
  const path = message.url?.startsWith('/') ? message.url : '/';
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(`${secure ? 'https' : 'http'}://${URL_HOST}${path}`, {
    method,
    headers,
    signal,
    ...(hasBody ? { body: bodyOf(message), duplex: 'half' } : {}),
  } as RequestInit);
}

async function send(response: Response, to: ServerResponse, headOnly: boolean): Promise<void> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of response.headers) headers[name] = value;
  const { body } = response;
  if (headOnly || !body) {
    if (!headOnly && response.status !== 204 && response.status !== 304) headers['content-length'] ??= '0';
    to.writeHead(response.status, headers);
    to.end();
    await body?.cancel();
    return;
  }
  to.writeHead(response.status, headers);
  const source = Readable.fromWeb(body as never);
  await new Promise<void>((resolve) => {
    source.on('error', () => {
      to.destroy();
      resolve();
    });
    to.on('close', () => {
      source.destroy();
      resolve();
    });
    source.pipe(to);
  });
}

/** Makes the adapter; `log` gets what goes wrong inside. */
export function createHttpAdapter(handler: HttpHandler, log: (line: string) => void): HttpAdapter {
  const infos = new WeakMap<Socket, RequestInfo>();
  const server: Server = createServer(
    { keepAliveTimeout: 75_000, requestTimeout: 0, headersTimeout: 15_000 },
    (message, answer) => {
      const info = infos.get(message.socket);
      if (!info) {
        message.socket.destroy();
        return;
      }
      const gone = new AbortController();
      answer.on('close', () => gone.abort());
      const run = async () => {
        const response = await handler(toRequest(message, info.secure, gone.signal), info);
        await send(response, answer, message.method === 'HEAD');
      };
      run().catch((error) => {
        log(`HTTP request failed: ${String((error as Error)?.stack ?? error)}`);
        if (!answer.headersSent) answer.writeHead(500, { 'content-length': '0' });
        answer.end();
      });
    },
  );
  server.on('clientError', (_error, socket) => {
    if (socket.writable)
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  return {
    adopt(socket, info) {
      infos.set(socket, info);
      server.emit('connection', socket);
    },
    close: () => server.close(),
  };
}
