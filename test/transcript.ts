/** Reads recorded SRPC conversations back into calls, by the rules of the protocol and the table of methods. */
import { methods } from '../src/methods/table.ts';
import { GobDecoder } from '../src/wire/gob/decoder.ts';
import {
  AddObjectRequest,
  AddObjectResponse,
  TestBandwidthRequest,
  TestBandwidthResponse,
} from '../src/wire/messages/objectserver.ts';
import type { Schema, ValueOf } from '../src/wire/schema.ts';

/** Bytes of one direction of a connection. */
class Bytes {
  at = 0;
  constructor(readonly data: Uint8Array) {}

  get left(): number {
    return this.data.length - this.at;
  }
  line(): string {
    const end = this.data.indexOf(10, this.at);
    if (end < 0) throw new Error(`no line at byte ${this.at} of ${this.data.length}`);
    const text = new TextDecoder().decode(this.data.subarray(this.at, end));
    this.at = end + 1;
    return text;
  }
  take(length: number): Uint8Array {
    if (length > this.left) throw new Error(`${length} bytes wanted, ${this.left} left`);
    this.at += length;
    return this.data.subarray(this.at - length, this.at);
  }
  message(): Uint8Array | undefined {
    if (this.left === 0) return undefined;
    let count = this.take(1)[0] as number;
    if (count > 127) {
      const width = 256 - count;
      count = 0;
      for (const byte of this.take(width)) count = count * 256 + byte;
    }
    return this.take(count);
  }
}

function reader(bytes: Bytes) {
  const decoder = new GobDecoder({ next: () => bytes.message() });
  return async <S extends Schema>(schema: S): Promise<ValueOf<S>> => {
    const value = await decoder.decode(schema);
    if (value === undefined) throw new Error('the stream ended where a value should be');
    return value;
  };
}

export interface RecordedReply {
  readonly method: string;
  /** Error line of the server, empty if it accepted. */
  readonly error: string;
  readonly values: readonly unknown[];
  /** Bytes that came outside of values. */
  readonly rawBytes: number;
}

const isEnd = (value: unknown, end: unknown) => Bun.deepEquals(value, end);
const OK = 'HTTP/1.0 200 Connected to Go SRPC';

/** Both directions of a connection, read side by side. */
class Conversation {
  constructor(
    readonly client: Bytes,
    readonly server: Bytes,
  ) {}

  /** One method line and what belongs to it. */
  async call(): Promise<RecordedReply> {
    const name = this.client.line().trim();
    const reply = { method: name, error: '', values: [] as unknown[], rawBytes: 0 };
    // A server that fails closes without a word.
    reply.error = this.server.left > 0 ? this.server.line() : 'closed';
    if (name === '' || reply.error !== '') return reply;
    const sent = reader(this.client);
    const next = reader(this.server);
    const method = methods.get(name);
    if (!method) throw new Error(`accepted, but we do not know it: ${name}`);
    if (method.shape === 'unary' || method.shape === 'imageUpload') {
      // What cannot be decoded is told in the line that follows.
      await sent(method.request).catch(() => undefined);
      reply.error = this.server.left > 0 ? this.server.line() : 'closed';
      if (reply.error === '') reply.values.push(await next(method.reply));
    } else if (method.shape === 'lines') {
      for (let line = this.server.line(); line !== ''; line = this.server.line()) reply.values.push(line);
    } else if (method.shape === 'stream') {
      while (this.server.left > 0) {
        const value = await next(method.item);
        if (method.end !== undefined && isEnd(value, method.end)) break;
        reply.values.push(value);
      }
      // The client of an endless stream is not listened to.
      if (method.end === undefined) this.client.take(this.client.left);
    } else if (name === 'ObjectServer.GetObjects') {
      await sent(method.request).catch(() => undefined);
      const answer = (await next(method.reply)) as { ResponseString: string; ObjectSizes: bigint[] };
      reply.values.push(answer);
      if (answer.ResponseString === '')
        for (const size of answer.ObjectSizes) reply.rawBytes += this.server.take(Number(size)).length;
    } else if (name === 'ObjectServer.AddObjects') {
      while (this.client.left > 0) {
        const request = await sent(AddObjectRequest);
        if (request.Length === 0n) break;
        this.client.take(Math.min(Number(request.Length), this.client.left));
        // A server that was left in the middle of an object may close without a word.
        if (this.server.left === 0) return { ...reply, error: 'closed' };
        const answer = await next(AddObjectResponse);
        reply.values.push(answer);
        if (answer.ErrorString) break;
      }
    } else {
      const { ChunkSize, SendToServer } = await sent(TestBandwidthRequest);
      if (this.server.left === 0) return { ...reply, error: 'closed' };
      const chunks = SendToServer ? this.client : this.server;
      do reply.rawBytes += ChunkSize;
      while (chunks.take(ChunkSize + 1)[ChunkSize] !== 0);
      await next(TestBandwidthResponse);
      reply.values.push('a duration');
    }
    return reply;
  }
}

/** Reads a connection with the gob coder from its first byte to its last, in both directions; throws if any is left. */
export async function decodeConversation(c2s: Uint8Array, s2c: Uint8Array): Promise<RecordedReply[]> {
  const client = new Bytes(c2s);
  const server = new Bytes(s2c);
  if (!/^CONNECT \/_goSRPC_\/ HTTP\/1\.[01]\r?$/.test(client.line())) throw new Error('no CONNECT');
  client.line();
  const status = server.line();
  if (status !== OK || server.line() !== '') throw new Error(`refused: ${status}`);
  const conversation = new Conversation(client, server);
  const replies: RecordedReply[] = [];
  while (client.left > 0) {
    const reply = await conversation.call();
    replies.push(reply);
    if (reply.error === 'closed') {
      client.take(client.left);
      break;
    }
  }
  for (const [side, { left }] of Object.entries({ client, server }))
    if (left > 0) throw new Error(`${left} bytes of the ${side} are not accounted for`);
  return replies;
}
