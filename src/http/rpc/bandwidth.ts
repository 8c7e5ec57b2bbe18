/**
 * TestBandwidth over HTTP. From the server: the chunks as the answer's body, then the reply as one line of JSON. To the
 * server: one line of JSON, then the chunks as the request's body; the answer is the reply.
 */
import { ImageServerError } from '../../errors.ts';
import type { Call, Channel, ChannelMethod } from '../../methods/method.ts';
import type { Services } from '../../methods/services.ts';
import { toJson } from '../../wire/json.ts';
import { TestBandwidthRequest } from '../../wire/messages/objectserver.ts';
import type { Schema, StructSchema, ValueOf } from '../../wire/schema.ts';
import { bodyChunks } from '../body.ts';
import { decodeParameters } from './decode.ts';

type Request_ = ValueOf<typeof TestBandwidthRequest>;
const PIECE = 64 * 1024;
/** The request's line is far shorter, bytes. */
const MAX_LINE = 4096;

/** Runs of bytes cut out of chunks of any size. */
class ByteRuns {
  #held: Uint8Array = new Uint8Array(0);
  constructor(readonly chunks: AsyncIterator<Uint8Array>) {}

  async #more(): Promise<void> {
    const { value, done } = await this.chunks.next();
    if (done) throw new ImageServerError('INVALID_REQUEST', 'unexpected EOF');
    this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value]);
  }
  async take(length: number): Promise<Uint8Array> {
    while (this.#held.length < length) await this.#more();
    const run = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return run;
  }
  async line(): Promise<string> {
    for (;;) {
      const end = this.#held.indexOf(10);
      if (end >= 0) return new TextDecoder().decode((await this.take(end + 1)).subarray(0, end));
      if (this.#held.length > MAX_LINE)
        throw new ImageServerError('INVALID_REQUEST', 'the first line is too long');
      await this.#more();
    }
  }
}

/** A body that is written to, at the pace of its reader. */
class WrittenBody {
  #wanted = Promise.withResolvers<void>();
  #gone = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly stream: ReadableStream<Uint8Array>;

  constructor(onCancel: () => void) {
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#wanted.resolve(),
        cancel: () => {
          this.#gone = true;
          this.#wanted.resolve();
          onCancel();
        },
      },
      { highWaterMark: 0 },
    );
  }
  async write(data: Uint8Array): Promise<void> {
    await this.#wanted.promise;
    if (this.#gone) throw new ImageServerError('CANCELLED', 'the client went away');
    this.#wanted = Promise.withResolvers();
    this.#controller?.enqueue(data);
  }
  close(): void {
    if (!this.#gone) this.#controller?.close();
  }
  fail(error: unknown): void {
    if (!this.#gone) this.#controller?.error(error);
  }
}

class BandwidthChannel implements Channel {
  reply = '';
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  constructor(
    readonly request: Request_,
    readonly input: ByteRuns | undefined,
    readonly output: WrittenBody | undefined,
  ) {}

  async receive<S extends Schema>(_schema: S): Promise<ValueOf<S> | undefined> {
    return this.request as ValueOf<S>;
  }
  async *bytes(length: number): AsyncGenerator<Uint8Array> {
    yield await this.take(length);
  }
  take(length: number): Promise<Uint8Array> {
    if (!this.input) throw new ImageServerError('INVALID_REQUEST', 'no bytes were sent');
    return this.input.take(length);
  }
  send<S extends Schema>(schema: S, value: ValueOf<S>): void {
    this.reply = toJson(schema, value);
  }
  async write(data: Uint8Array): Promise<void> {
    this.#waiting.push(data);
    this.#waitingBytes += data.length;
    if (this.#waitingBytes >= PIECE) await this.#send();
  }
  async #send(): Promise<void> {
    const piece = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    await this.output?.write(piece);
    // A reader that is always ready must not keep everybody else waiting.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  sendObject(): Promise<void> {
    throw new ImageServerError('INTERNAL', 'this call sends no objects');
  }
  async flush(): Promise<void> {
    if (this.#waitingBytes > 0) await this.#send();
  }
}

/** From the server; `onEnd` is called once, when the test is over. */
export function bandwidthFromServer(
  method: ChannelMethod,
  services: Services,
  text: string,
  call: Call,
  cancel: () => void,
  onEnd: (error?: unknown) => void,
): Response {
  const request = decodeParameters(TestBandwidthRequest as StructSchema<Request_>, text);
  if (request.SendToServer)
    throw new ImageServerError(
      'INVALID_REQUEST',
      'SendToServer: send the request as the first line of an application/octet-stream body, then the chunks',
    );
  const output = new WrittenBody(cancel);
  const channel = new BandwidthChannel(request, undefined, output);
  const run = async () => {
    try {
      await method.handle(services, channel, call);
      await output.write(Buffer.from(`${channel.reply}\n`));
      output.close();
      onEnd();
    } catch (thrown) {
      output.fail(thrown);
      onEnd(thrown);
    }
  };
  void run();
  return new Response(output.stream, {
    headers: { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' },
  });
}

/** To the server: answers with the reply as JSON text. */
export async function bandwidthToServer(
  method: ChannelMethod,
  services: Services,
  request: Request,
  call: Call,
): Promise<string> {
  const chunks = bodyChunks(request);
  try {
    const input = new ByteRuns(chunks);
    const parameters = decodeParameters(TestBandwidthRequest, await input.line());
    if (!parameters.SendToServer)
      throw new ImageServerError('INVALID_REQUEST', 'SendToServer must be true when chunks are sent');
    const channel = new BandwidthChannel(parameters, input, undefined);
    await method.handle(services, channel, call);
    return channel.reply;
  } finally {
    await chunks.return();
  }
}
