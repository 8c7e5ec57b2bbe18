/** A table of methods of every shape and a bare listener, for the tests of this directory. */
import { connect, createServer, type Socket } from 'node:net';
import type { Decision } from '../access/decision.ts';
import { INSECURE } from '../access/identity.ts';
import { ImageServerError } from '../errors.ts';
import {
  type ChannelMethod,
  defineStream,
  defineUnary,
  type LinesMethod,
  type Method,
} from '../methods/method.ts';
import type { Services } from '../methods/services.ts';
import { CheckImageRequest, CheckImageResponse } from '../wire/messages/imageserver.ts';
import { type SrpcOptions, serveSrpc } from './server.ts';

const common = { summary: '', public: true, unauthenticatedRead: true, mutates: false };

const checkImage = defineUnary({
  ...common,
  name: 'Fake.CheckImage',
  request: CheckImageRequest,
  reply: CheckImageResponse,
  handle: (_services, { ImageName }) => {
    if (ImageName === 'error') throw new ImageServerError('IMAGE_NOT_FOUND', 'two\nlines');
    if (ImageName === 'defect') throw new TypeError('/secret/path');
    return { ImageExists: ImageName === 'yes' };
  },
});
const checkLater = defineUnary({
  ...common,
  name: 'Fake.CheckLater',
  request: CheckImageRequest,
  reply: CheckImageResponse,
  handle: async (_services, { ImageName }) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (ImageName === 'error') throw new ImageServerError('IMAGE_NOT_FOUND', 'later');
    return { ImageExists: ImageName === 'yes' };
  },
});
const denied = defineUnary({
  ...common,
  name: 'Fake.Denied',
  public: false,
  request: CheckImageRequest,
  reply: CheckImageResponse,
  handle: () => ({ ImageExists: true }),
});
const lines: LinesMethod = {
  ...common,
  shape: 'lines',
  name: 'Fake.Lines',
  handle: () => Buffer.from('one\ntwo\n\n'),
};
const list = defineStream({
  ...common,
  name: 'Fake.List',
  live: false,
  item: CheckImageRequest,
  end: { ImageName: '' },
  *handle() {
    for (let index = 1; index <= 1000; index++) yield { ImageName: `image-${index}` };
  },
});

/** What live listeners are sent; shared by all. */
export class Events {
  #wake = new Set<() => void>();
  readonly items: { ImageName: string }[] = [];
  listeners = 0;

  send(name: string): void {
    this.items.push({ ImageName: name });
    for (const wake of [...this.#wake]) wake();
  }

  async *follow(signal: AbortSignal): AsyncGenerator<{ ImageName: string }> {
    this.listeners++;
    try {
      for (let at = 0; ; ) {
        if (at < this.items.length) {
          yield this.items[at++] as { ImageName: string };
          continue;
        }
        await new Promise<void>((resolve) => {
          const wake = () => {
            this.#wake.delete(wake);
            signal.removeEventListener('abort', wake);
            resolve();
          };
          this.#wake.add(wake);
          signal.addEventListener('abort', wake);
          if (signal.aborted) wake();
        });
        if (signal.aborted) return;
      }
    } finally {
      this.listeners--;
    }
  }
}

const events = (source: Events) =>
  defineStream({
    ...common,
    name: 'Fake.Events',
    live: true,
    item: CheckImageRequest,
    handle: (_services, _request, call) => source.follow(call.signal),
  });

/** Takes a name and as many bytes as its length says, sends them back; `fail` ends in an error. */
const echo: ChannelMethod = {
  ...common,
  shape: 'channel',
  name: 'Fake.Echo',
  request: CheckImageRequest,
  reply: CheckImageRequest,
  async handle(_services, channel) {
    for (;;) {
      const request = await channel.receive(CheckImageRequest);
      if (!request || request.ImageName === '') break;
      if (request.ImageName === 'fail') {
        await channel.send(CheckImageRequest, { ImageName: 'failing' });
        throw new ImageServerError('INVALID_REQUEST', 'asked to fail');
      }
      const length = Number(request.ImageName);
      await channel.send(CheckImageRequest, request);
      for await (const chunk of channel.bytes(length)) await channel.write(chunk.slice());
      await channel.flush();
    }
  },
};

export function fakeMethods(source: Events = new Events()): ReadonlyMap<string, Method> {
  const all: Method[] = [checkImage, checkLater, denied, lines, list, events(source), echo];
  return new Map(all.map((method) => [method.name, method]));
}

export const NO_SERVICES = {} as Services;

const ALLOWED: Decision = { allowed: true, methodAccess: true, reason: 'test' };
const DENIED: Decision = { allowed: false, methodAccess: false, reason: 'test' };

export interface FakeServer extends AsyncDisposable {
  readonly port: number;
  readonly log: string[];
  /** Server sides of the connections that were made. */
  readonly sockets: Socket[];
}

/** Serves calls from the first byte: no CONNECT before. */
export function startFakeServer(options: Partial<SrpcOptions> = {}): Promise<FakeServer> {
  const log: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    serveSrpc(socket, {
      coder: 'gob',
      identity: INSECURE,
      services: NO_SERVICES,
      decide: (_identity, method) => (method.public ? ALLOWED : DENIED),
      plain: true,
      peer: '127.0.0.1',
      methods: fakeMethods(),
      log: (line) => log.push(line),
      ...options,
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      resolve({
        port,
        log,
        sockets,
        async [Symbol.asyncDispose]() {
          for (const socket of sockets) socket.destroy();
          server.close();
        },
      });
    });
  });
}

/** A peer that says exactly what it is told to say. */
export class RawPeer implements Disposable {
  readonly #chunks: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  ended = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#wake?.();
    });
    const end = () => {
      this.ended = true;
      this.#wake?.();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  }

  static to(port: number): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawPeer(socket)));
    });
  }

  say(data: string | Uint8Array): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  get heard(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  /** Waits until `enough` of what was heard (one character for each byte), or the end; forgets it. */
  async hear(enough: number | ((text: string) => boolean)): Promise<string> {
    const done = (text: string) => (typeof enough === 'number' ? text.length >= enough : enough(text));
    while (!this.ended && !done(this.heard))
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const text = this.heard;
    this.#chunks.length = 0;
    return text;
  }

  /** Everything until the other side ends. */
  rest(): Promise<string> {
    return this.hear(() => false);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
