/** Puts a Response onto a connection. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { STATUS_CODES } from 'node:http';
import type { SocketWriter } from '../srpc/writer.ts';
import { type FileRange, fileRangeOf } from './file-response.ts';

/** What the connection says about an answer. */
export interface AnswerContext {
  readonly writer: SocketWriter;
  readonly head: boolean;
  /** The client speaks HTTP/1.1. */
  readonly modern: boolean;
  /** The connection can go on after this answer. */
  readonly keepAlive: boolean;
  /** Called around waits for a client that does not take what it is sent; again with true when it has taken some. */
  readonly waiting: (waiting: boolean) => void;
  /** Called with what can be stopped when the client goes. */
  readonly onSource: (cancel: (() => void) | undefined) => void;
}

/** Turns of the microtask queue after which a body that has not ended is taken for a stream. */
const SHORT_BODY_TURNS = 4;
const MAX_PIECE = 512 * 1024;
/** Bodies announced to be at most so long are taken whole. */
const SMALL_BODY = 64 * 1024;

let dateAt = 0;
let dateLine = '';
function date(): string {
  const now = Date.now();
  if (now - dateAt >= 1000) {
    dateAt = now - (now % 1000);
    dateLine = `Date: ${new Date(now).toUTCString()}\r\n`;
  }
  return dateLine;
}

/** The status line and headers; `framing` is the line that tells where the body ends. */
function headText(response: Response, framing: string, keepAlive: boolean, modern: boolean): string {
  const { status } = response;
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
  let dated = false;
  for (const [name, value] of response.headers) {
    if (name === 'connection' || name === 'transfer-encoding' || name === 'keep-alive') continue;
    if (name === 'content-length' && framing !== '') continue;
    if (name === 'date') dated = true;
    text += `${name}: ${value}\r\n`;
  }
  if (!dated) text += date();
  text += framing;
  if (!keepAlive) text += 'connection: close\r\n';
  else if (!modern) text += 'connection: keep-alive\r\n';
  return `${text}\r\n`;
}

const lengthLine = (length: number) => `content-length: ${length}\r\n`;

async function wait(context: AnswerContext, blocked: void | Promise<void>): Promise<void> {
  if (!blocked) return;
  context.waiting(true);
  try {
    await blocked;
  } finally {
    context.waiting(false);
  }
}

/** Sends the answer; resolves with whether the connection can go on. Throws if the client has gone. */
export function sendAnswer(response: Response, context: AnswerContext): boolean | Promise<boolean> {
  const { status } = response;
  const bodyless = status === 204 || status === 304 || status < 200;
  if (context.head || bodyless) return sendHead(response, '', context);
  const range = fileRangeOf(response);
  if (range) return sendFile(response, range, context);
  // Asking a response for its body makes a stream of it, which costs: short ones are taken whole.
  const announced = response.headers.get('content-length');
  if (announced !== null && Number(announced) <= SMALL_BODY)
    return sendSmall(response, Number(announced), context);
  if (response.body === null) return sendHead(response, lengthLine(0), context);
  return sendBody(response, response.body, context);
}

function sendHead(response: Response, framing: string, context: AnswerContext): boolean {
  context.writer.writeLatin1(headText(response, framing, context.keepAlive, context.modern));
  response.body?.cancel().catch(() => undefined);
  return context.keepAlive;
}

/** What is here already is sent in the same turn: an answer costs fewest steps then. */
function sendSmall(response: Response, length: number, context: AnswerContext): boolean | Promise<boolean> {
  const send = (body: Uint8Array) => {
    if (body.length !== length) throw new Error('the body is not as long as its Content-Length');
    return sendWhole(response, body, context);
  };
  const taking = response.bytes();
  const taken = Bun.peek(taking);
  return taken instanceof Promise ? taken.then(send) : send(taken);
}

async function sendFile(response: Response, range: FileRange, context: AnswerContext): Promise<boolean> {
  const { writer, keepAlive, modern } = context;
  const length = Math.max(range.end - range.start, 0);
  let fd: number;
  try {
    fd = openSync(range.path, 'r');
  } catch {
    return sendAnswer(new Response(null, { status: 404 }), context);
  }
  try {
    if (fstatSync(fd).size < range.end) return await sendAnswer(new Response(null, { status: 500 }), context);
    writer.writeLatin1(headText(response, lengthLine(length), keepAlive, modern));
    const goOn = () => context.waiting(true);
    await wait(context, writer.sendFile(fd, range.start, length, goOn));
    return keepAlive;
  } finally {
    closeSync(fd);
  }
}

type Reading = ReadableStreamDefaultReader<Uint8Array | string>;

function bytesOf(piece: Uint8Array | string): Uint8Array {
  return typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
}

/** True if the read has ended within a few turns of the microtask queue: what is here already needs no more. */
async function soon(reading: Promise<Piece>): Promise<boolean> {
  for (let turn = 0; turn < SHORT_BODY_TURNS; turn++) {
    if (Bun.peek.status(reading) !== 'pending') return true;
    await undefined;
  }
  return false;
}

async function sendBody(response: Response, body: ReadableStream, context: AnswerContext): Promise<boolean> {
  const source = body.getReader() as Reading;
  context.onSource(() => source.cancel().catch(() => undefined));
  const early: Promise<Piece>[] = [];
  try {
    const announced = response.headers.get('content-length');
    if (announced !== null) return await sendSized(response, source, Number(announced), context);
    const reading = source.read();
    early.push(reading);
    if (await soon(reading)) {
      const first = await reading;
      if (first.done) return await sendWhole(response, new Uint8Array(0), context);
      const second = source.read();
      early.push(second);
      if ((await soon(second)) && (await second).done)
        return await sendWhole(response, bytesOf(first.value), context);
    }
    return await sendStream(response, source, early, context);
  } catch (error) {
    source.cancel(error).catch(() => undefined);
    throw error;
  } finally {
    context.onSource(undefined);
  }
}

type Piece = Awaited<ReturnType<Reading['read']>>;

function sendWhole(response: Response, body: Uint8Array, context: AnswerContext): boolean | Promise<boolean> {
  const { writer, keepAlive, modern } = context;
  writer.writeLatin1(headText(response, lengthLine(body.length), keepAlive, modern));
  const blocked = writer.write(body);
  return blocked ? wait(context, blocked).then(() => keepAlive) : keepAlive;
}

/** Of a length that was announced: exactly so many bytes, or the connection is broken off. */
async function sendSized(
  response: Response,
  source: Reading,
  length: number,
  context: AnswerContext,
): Promise<boolean> {
  const { writer, keepAlive, modern } = context;
  writer.writeLatin1(headText(response, lengthLine(length), keepAlive, modern));
  let left = length;
  for (;;) {
    const piece = await source.read();
    if (piece.done) break;
    const bytes = bytesOf(piece.value);
    left -= bytes.length;
    if (left < 0) throw new Error('the body is longer than its Content-Length');
    for (let at = 0; at < bytes.length; at += MAX_PIECE)
      await wait(context, writer.write(bytes.subarray(at, at + MAX_PIECE)));
    await wait(context, writer.flush());
  }
  if (left > 0) throw new Error('the body is shorter than its Content-Length');
  return keepAlive;
}

/** Of unknown length: in chunks, or to the end of the connection for clients that know none. */
async function sendStream(
  response: Response,
  source: Reading,
  early: readonly Promise<Piece>[],
  context: AnswerContext,
): Promise<boolean> {
  const { writer, modern } = context;
  const keepAlive = context.keepAlive && modern;
  writer.writeLatin1(headText(response, modern ? 'transfer-encoding: chunked\r\n' : '', keepAlive, modern));
  // Whoever waits for events wants to know that it is connected.
  await wait(context, writer.flush());
  for (let index = 0; ; index++) {
    const piece = await (early[index] ?? source.read());
    if (piece.done) break;
    const bytes = bytesOf(piece.value);
    if (bytes.length === 0) continue;
    if (modern) writer.writeLatin1(`${bytes.length.toString(16)}\r\n`);
    writer.write(bytes);
    if (modern) writer.writeLatin1('\r\n');
    await wait(context, writer.flush());
  }
  if (modern) writer.writeLatin1('0\r\n\r\n');
  return keepAlive;
}
