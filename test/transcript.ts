/** Reads recorded SRPC conversations back into calls, by the rules of the protocol and the table of methods. */
import { methods } from '../src/methods/table.ts';
import { GobDecoder } from '../src/wire/gob/decoder.ts';
import { AddObjectRequest } from '../src/wire/messages/objectserver.ts';
import type { Schema, ValueOf } from '../src/wire/schema.ts';

/** Bytes of one direction of a connection. */
export class Bytes {
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

/** Decodes what a server sent on a gob connection on which `called` was called; `values` ends early if it closed. */
export async function decodeReplies(data: Uint8Array, called: readonly string[]): Promise<RecordedReply[]> {
  const bytes = new Bytes(data);
  const status = bytes.line();
  if (!status.startsWith('HTTP/1.0 200 Connected to Go SRPC')) throw new Error(`refused: ${status}`);
  bytes.line();
  const replies: RecordedReply[] = [];
  for (const name of called) {
    if (bytes.left === 0) break;
    const accepted = bytes.line();
    const method = methods.get(name);
    if (accepted !== '' || !method) {
      replies.push({ method: name, error: accepted, values: [], rawBytes: 0 });
      continue;
    }
    const values: unknown[] = [];
    let error = '';
    let rawBytes = 0;
    const next = reader(bytes);
    if (method.shape === 'unary' || method.shape === 'imageUpload') {
      if (bytes.left > 0) {
        error = bytes.line();
        if (error === '') values.push(await next(method.reply));
      }
    } else if (method.shape === 'lines') {
      for (let line = bytes.line(); line !== ''; line = bytes.line()) values.push(line);
    } else if (method.shape === 'stream') {
      while (bytes.left > 0) {
        const value = await next(method.item);
        if (method.end !== undefined && isEnd(value, method.end)) break;
        values.push(value);
      }
    } else if (name === 'ObjectServer.GetObjects') {
      const reply = (await next(method.reply)) as { ResponseString: string; ObjectSizes: bigint[] };
      values.push(reply);
      if (reply.ResponseString === '')
        for (const size of reply.ObjectSizes) rawBytes += bytes.take(Number(size)).length;
    } else {
      throw new Error(`${name} needs its request to be decoded`);
    }
    replies.push({ method: name, error, values, rawBytes });
  }
  if (bytes.left > 0) throw new Error(`${bytes.left} bytes are not accounted for`);
  return replies;
}

/** Number of objects an AddObjects request stream holds, and where it ends. */
export async function decodeUploads(bytes: Bytes): Promise<number> {
  const next = reader(bytes);
  for (let count = 0; ; count++) {
    const request = await next(AddObjectRequest);
    if (request.Length === 0n) return count;
    bytes.take(Number(request.Length));
  }
}
