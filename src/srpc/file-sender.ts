/**
 * Big files go out on plain sockets from a thread of their own: sendfile(2) waits for the disk, which would hold up
 * everybody else, and a thread that does nothing else waits for sockets at half the cost. It is started when it is needed
 * and ends when it has been idle for a while.
 */
import { FFIType } from 'bun:ffi';
import { closeSync } from 'node:fs';
import { openCLibrary } from '../c-library.ts';
import { ImageServerError } from '../errors.ts';
import { workerUrl } from '../text-worker.ts';
import type { PeerSocket } from './peer-socket.ts';
import threadSource from './send-thread.js' with { type: 'text' };
import { descriptorOf } from './sendfile.ts';

/** Bytes from which handing over is worth while. */
export const THREAD_FROM = 4 * 1024 * 1024;
/** As many files at once: their orders fit into the pipe, so that giving one never waits. */
const MAX_FILES = 1024;
const IDLE_MS = 3_000;
/** Size of an order in the pipe, as send-thread.js reads it. */
const ORDER = 24;

const F_DUPFD_CLOEXEC = 1030;
const O_CLOEXEC = 0x80000;
const SHUT_RDWR = 2;

function load() {
  if (process.platform !== 'linux') return undefined;
  const library = openCLibrary({
    pipe2: { args: [FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
    write: { args: [FFIType.i32, FFIType.ptr, FFIType.u64], returns: FFIType.i64_fast },
    fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    shutdown: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  });
  return library && { name: library.name, ...library.symbols };
}
/** Without it files go the ordinary way. */
const system = load();

const SOURCE = workerUrl(threadSource);

interface Sending {
  progress(): void;
  resolve(at: number): void;
  reject(failure: ImageServerError): void;
}

class SendThread {
  readonly #worker: Worker;
  /** By the descriptor that the thread has of the socket. */
  readonly #sendings = new Map<number, Sending>();
  readonly #pipe: readonly [read: number, write: number];
  #over = false;

  constructor(readonly library: NonNullable<typeof system>) {
    const ends = new Int32Array(2);
    if (library.pipe2(ends, O_CLOEXEC) !== 0) throw new ImageServerError('UNAVAILABLE', 'no pipe to be had');
    this.#pipe = [ends[0] as number, ends[1] as number];
    this.#worker = new Worker(SOURCE);
    this.#worker.onmessage = ({ data }: MessageEvent<'idle' | [number, number, boolean]>) => {
      if (data === 'idle') this.#idle();
      else this.#told(...data);
    };
    this.#worker.onerror = ({ message }) => this.#failed(message);
    this.#worker.unref();
    this.#run();
  }

  get free(): boolean {
    return !this.#over && this.#sendings.size < MAX_FILES;
  }

  /** Resolves with how far it came; where that is not the end, sending the rest the ordinary way tells why. */
  send(out: number, file: number, start: number, end: number, progress: () => void): Promise<number> {
    const order = new DataView(new ArrayBuffer(ORDER));
    order.setInt32(0, out, true);
    order.setInt32(4, file, true);
    order.setFloat64(8, start, true);
    order.setFloat64(16, end, true);
    const written = Number(this.library.write(this.#pipe[1], new Uint8Array(order.buffer), ORDER));
    if (written !== ORDER) return Promise.resolve(start);
    return new Promise((resolve, reject) => {
      if (this.#sendings.size === 0) this.#worker.ref();
      this.#sendings.set(out, { progress, resolve, reject });
    });
  }

  #run(): void {
    this.#worker.postMessage({ library: this.library.name, pipe: this.#pipe[0], idleMs: IDLE_MS });
  }

  #told(out: number, at: number, over: boolean): void {
    const sending = this.#sendings.get(out);
    if (!over) {
      sending?.progress();
      return;
    }
    this.#sendings.delete(out);
    if (this.#sendings.size === 0) this.#worker.unref();
    sending?.resolve(at);
  }

  /** The thread reads no more orders until it is told to: one may have come since. */
  #idle(): void {
    if (this.#sendings.size > 0) this.#run();
    else this.#end();
  }

  #failed(message: string): void {
    const cause = new Error(message);
    for (const { reject } of this.#sendings.values())
      reject(new ImageServerError('INTERNAL', 'sending failed', { cause }));
    this.#sendings.clear();
    this.#end();
    broken = true;
  }

  #end(): void {
    this.#over = true;
    this.#worker.terminate();
    for (const fd of this.#pipe) closeSync(fd);
    if (thread === this) thread = undefined;
  }
}

let thread: SendThread | undefined;
/** It could not be started or has failed: the ordinary way from then on. */
let broken = false;

function threadOf(): SendThread | undefined {
  if (!system || broken) return undefined;
  thread ??= new SendThread(system);
  return thread.free ? thread : undefined;
}

/**
 * Sends the bytes of an open file from `start` up to `end`, exclusive; nobody else may write to the socket meanwhile.
 * Resolves with the offset up to which the socket has taken them, `start` if this cannot be done here: to go on the
 * ordinary way tells why. `progress` is called about twice a second while bytes move. The socket may be closed meanwhile.
 */
export async function sendOnThread(
  socket: PeerSocket,
  file: number,
  start: number,
  end: number,
  progress: () => void,
): Promise<number> {
  const descriptor = descriptorOf(socket);
  const sender = descriptor === undefined ? undefined : threadOf();
  if (!system || !sender || descriptor === undefined) return start;
  const { fcntl, shutdown } = system;
  // One of its own: the number cannot come to mean another file while the thread uses it.
  const out = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (out < 0) return start;
  const onClose = () => shutdown(out, SHUT_RDWR);
  socket.once('close', onClose);
  try {
    return await sender.send(out, file, start, end, progress);
  } finally {
    socket.off('close', onClose);
    closeSync(out);
  }
}
