/**
 * What goes out on a connection: small pieces are gathered into one write, big ones go by themselves, files go out
 * without being copied where the socket is plain. Nothing is queued without limit: writers wait for the socket.
 */
import { read, readSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import type { Patience } from './deadlines.ts';
import { sendOnThread, THREAD_FROM } from './file-sender.ts';
import type { PeerSocket } from './peer-socket.ts';
import { canSendfile, trySendfile } from './sendfile.ts';

/** Size of the buffers in which small pieces are gathered. */
const SLAB = 64 * 1024;
/** Up to so many bytes in a slab are copied when the socket, or TLS, takes them later. */
const SHORT = 2 * 1024;
/** Slabs kept for reuse by all connections. */
const SPARE_SLABS = 32;
/** Pieces of at least this size are not copied into a slab. */
const BIG = 16 * 1024;
/** Objects up to this size are gathered with others. */
const SMALL_FILE = 32 * 1024;
/** Pieces in which files are read for TLS, which makes its records from them. */
const TLS_PIECE = 512 * 1024;
/** Such pieces kept for reuse by all connections. */
const SPARE_PIECES = 8;
/** After a full plain socket an ordinary piece of this size is sent: that it has gone tells that there is room again. */
const WAIT_PIECE = 4096;
/** One sendfile takes at most this much, and after so many bytes without a wait others get their turn. */
const SENDFILE_PIECE = 1024 * 1024;
const SENDFILE_TURN = 4 * 1024 * 1024;

const spare: Buffer[] = [];

/** Why the connection is closed: TIMEOUT if we have cut it off, else CANCELLED. */
function closedError(socket: PeerSocket): ImageServerError {
  const { errored } = socket;
  return errored instanceof ImageServerError
    ? errored
    : new ImageServerError('CANCELLED', 'connection closed');
}

export class SocketWriter {
  readonly #socket: PeerSocket;
  #slab: Buffer | undefined;
  #used = 0;
  #waiting: Promise<void> | undefined;

  /** `plain`: no TLS, so files may bypass the process. */
  constructor(
    socket: PeerSocket,
    readonly plain: boolean,
    readonly patience?: Patience,
  ) {
    this.#socket = socket;
  }

  /** Bytes gathered that a flush would send. */
  get gathered(): number {
    return this.#used;
  }

  /**
   * Sends soon: at the latest with the next flush. Big pieces must not change until they have gone. A promise, if one is
   * returned, tells when the socket takes more. Throws CANCELLED if the connection is closed.
   */
  write(data: Uint8Array): void | Promise<void> {
    if (data.length >= BIG) return this.writeAlone(data);
    if (this.#used + data.length > SLAB) this.#emit();
    const slab = this.#room();
    slab.set(data, this.#used);
    this.#used += data.length;
    return this.ready();
  }

  /** Sends at once and without a copy, for bytes that many connections share; they must not change. */
  writeAlone(data: Uint8Array): void | Promise<void> {
    this.#emit();
    this.#send(data);
    return this.ready();
  }

  writeByte(byte: number): void {
    if (this.#used === SLAB) this.#emit();
    this.#room()[this.#used++] = byte;
  }

  /** `fill` puts `length` bytes, less than a slab has, into what is gathered; a byte more is free behind them. */
  gather(length: number, fill: (into: Uint8Array, at: number) => void): void | Promise<void> {
    if (this.#used + length >= SLAB) this.#emit();
    fill(this.#room(), this.#used);
    this.#used += length;
    return this.ready();
  }

  /** One character becomes one byte. */
  writeLatin1(text: string): void | Promise<void> {
    if (text.length >= BIG) return this.write(Buffer.from(text, 'latin1'));
    if (this.#used + text.length > SLAB) this.#emit();
    this.#used += this.#room().write(text, this.#used, 'latin1');
    return this.ready();
  }

  /** Everything goes to the socket; a promise tells when it takes more. Throws CANCELLED. */
  flush(): void | Promise<void> {
    this.#emit();
    return this.ready();
  }

  /** Waits for a socket that has been given more than it takes; undefined if it has not. */
  ready(): void | Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) throw closedError(socket);
    if (socket.writableNeedDrain && socket.writableLength > 0) return this.#drained();
  }

  #room(): Buffer {
    this.#slab ??= spare.pop() ?? Buffer.allocUnsafeSlow(SLAB);
    return this.#slab;
  }

  #emit(): void {
    const slab = this.#slab;
    if (!slab || this.#used === 0) return;
    let data = slab.subarray(0, this.#used);
    // What is taken later is copied if it is short, so that the slab can be used again at once: short pieces for a peer
    // that does not read would each hold a slab.
    const later = !this.plain || this.#socket.writableLength > 0;
    const copied = later && this.#used <= SHORT;
    if (copied) data = Buffer.from(data);
    this.#slab = undefined;
    this.#used = 0;
    this.#send(data);
    // A socket that has taken everything holds on to nothing.
    if ((copied || this.#socket.writableLength === 0) && spare.length < SPARE_SLABS) spare.push(slab);
  }

  #send(data: Uint8Array): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) throw closedError(this.#socket);
    this.#socket.write(data);
  }

  #drained(): Promise<void> {
    this.#waiting ??= new Promise<void>((resolve, reject) => {
      const socket = this.#socket;
      this.patience?.begin();
      const finish = (error?: Error) => {
        this.patience?.end();
        socket.off('drain', onDrain);
        socket.off('close', onClose);
        this.#waiting = undefined;
        if (error) reject(error);
        else resolve();
      };
      const onDrain = () => finish();
      const onClose = () => finish(closedError(socket));
      socket.on('drain', onDrain);
      socket.on('close', onClose);
    });
    // Not everybody waits: whoever writes next is told anyway.
    this.#waiting.catch(() => undefined);
    return this.#waiting;
  }

  /** Resolves when the socket has taken everything written to it. */
  #emptied(): void | Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) throw closedError(socket);
    if (socket.writableLength === 0) return;
    return new Promise<void>((resolve, reject) => {
      this.patience?.begin();
      let over = false;
      const finish = () => {
        if (over) return;
        over = true;
        this.patience?.end();
        socket.off('close', finish);
        if (socket.destroyed) reject(closedError(socket));
        else resolve();
      };
      socket.once('close', finish);
      socket.write(NOTHING, finish);
    });
  }

  /**
   * Sends `length` bytes of an open file from `start`. Throws CORRUPT if the file is shorter: the peer was promised more,
   * the connection cannot go on. `onProgress` is called whenever the peer has taken more.
   */
  sendFile(fd: number, start: number, length: number, onProgress?: () => void): void | Promise<void> {
    if (length > SMALL_FILE) return this.#sendBigFile(fd, start, start + length, onProgress);
    if (this.#used + length > SLAB) this.#emit();
    const slab = this.#room();
    readFully(fd, slab, this.#used, start, length);
    this.#used += length;
    return this.ready();
  }

  async #sendBigFile(fd: number, start: number, end: number, onProgress?: () => void): Promise<void> {
    await this.flush();
    if (!this.plain || !canSendfile(this.#socket)) return this.#copyFile(fd, start, end, onProgress);
    let at = start;
    let turn = 0;
    const emptied = this.#emptied();
    if (emptied) await emptied;
    if (end - at >= THREAD_FROM) at = await this.#sendOnThread(fd, at, end, onProgress);
    while (at < end) {
      const sent = trySendfile(this.#socket, fd, at, Math.min(end - at, SENDFILE_PIECE));
      if (sent > 0) {
        at += sent;
        turn += sent;
        if (turn < SENDFILE_TURN) continue;
        await new Promise((resolve) => setImmediate(resolve));
        if (this.#socket.destroyed) throw closedError(this.#socket);
      } else {
        const piece = Buffer.allocUnsafe(Math.min(end - at, WAIT_PIECE));
        readFully(fd, piece, 0, at, piece.length);
        at += piece.length;
        this.#send(piece);
        const waiting = this.#emptied();
        if (waiting) await waiting;
      }
      onProgress?.();
      turn = 0;
    }
  }

  async #sendOnThread(fd: number, start: number, end: number, onProgress?: () => void): Promise<number> {
    this.patience?.begin();
    const progress = () => {
      this.patience?.moved();
      onProgress?.();
    };
    const at = await sendOnThread(this.#socket, fd, start, end, progress).finally(() => this.patience?.end());
    if (this.#socket.destroyed) throw closedError(this.#socket);
    return at;
  }

  /** Reads ahead one piece while the one before is being sent; two buffers take turns. */
  async #copyFile(fd: number, start: number, end: number, onProgress?: () => void): Promise<void> {
    let now = takePiece();
    let ahead = takePiece();
    let reading = readInto(now, fd, start, end);
    // Told when it is waited for; if sending fails before, nobody needs it any more.
    reading.catch(() => undefined);
    try {
      for (let at = start; at < end; ) {
        const length = await reading;
        at += length;
        if (at < end) {
          reading = readInto(ahead, fd, at, end);
          reading.catch(() => undefined);
        }
        this.#send(now.subarray(0, length));
        const waiting = this.#emptied();
        if (waiting) await waiting;
        onProgress?.();
        [now, ahead] = [ahead, now];
      }
    } finally {
      // A read may still be under way when sending has failed.
      await reading.catch(() => undefined);
      if (this.#socket.writableLength === 0) sparePieces.push(now, ahead);
      sparePieces.length = Math.min(sparePieces.length, SPARE_PIECES);
    }
  }
}

const NOTHING = new Uint8Array(0);

function tooShort(): ImageServerError {
  return new ImageServerError('CORRUPT', 'object is shorter than recorded');
}

function readFully(fd: number, into: Buffer, at: number, position: number, length: number): void {
  for (let filled = 0; filled < length; ) {
    const count = readSync(fd, into, at + filled, length - filled, position + filled);
    if (count === 0) throw tooShort();
    filled += count;
  }
}

const sparePieces: Buffer[] = [];
function takePiece(): Buffer {
  return sparePieces.pop() ?? Buffer.allocUnsafeSlow(TLS_PIECE);
}

/** Fills the buffer from the file, on a thread of its own: a slow disk delays only this file. Resolves with the bytes. */
function readInto(piece: Buffer, fd: number, position: number, end: number): Promise<number> {
  const length = Math.min(end - position, piece.length);
  return new Promise((resolve, reject) => {
    const step = (filled: number) => {
      read(fd, piece, filled, length - filled, position + filled, (error, count) => {
        if (error) reject(error);
        else if (count === 0) reject(tooShort());
        else if (filled + count < length) step(filled + count);
        else resolve(length);
      });
    };
    step(0);
  });
}
