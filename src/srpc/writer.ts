/** What goes out on a connection: small pieces are gathered, big ones wait for the socket. */
import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { ImageServerError } from '../errors.ts';
import { trySendfile } from './sendfile.ts';

/** Gathered bytes that are sent without a flush. */
const GATHER = 64 * 1024;
/** Objects up to this size are gathered with others. */
const SMALL_OBJECT = 32 * 1024;
/** Pieces in which files are read when sendfile cannot be used. */
const PIECE = 512 * 1024;
/** After a full socket, an ordinary piece of this size is sent: its drain tells when there is room again. */
const WAIT_PIECE = 64 * 1024;

export class SocketWriter {
  readonly #socket: Socket;
  #parts: Uint8Array[] = [];
  #gathered = 0;

  /** `plain`: no TLS, so files may bypass the process. */
  constructor(
    socket: Socket,
    readonly plain: boolean,
  ) {
    this.#socket = socket;
  }

  /** Buffered. The bytes must not change until they are flushed. */
  write(data: Uint8Array): void | Promise<void> {
    this.#parts.push(data);
    this.#gathered += data.length;
    if (this.#gathered >= GATHER) return this.#send();
  }
  writeText(text: string): void | Promise<void> {
    return this.write(Buffer.from(text, 'utf8'));
  }
  /** Everything goes to the socket; resolves when it may take more. */
  flush(): Promise<void> | void {
    if (this.#gathered > 0) return this.#send();
  }

  #send(): void | Promise<void> {
    const parts = this.#parts;
    this.#parts = [];
    this.#gathered = 0;
    if (this.#socket.destroyed) throw new ImageServerError('CANCELLED', 'connection closed');
    const data = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    if (!this.#socket.write(data)) return this.#drained();
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      const finish = (error?: Error) => {
        socket.off('drain', onDrain);
        socket.off('close', onClose);
        if (error) reject(error);
        else resolve();
      };
      const onDrain = () => finish();
      const onClose = () => finish(new ImageServerError('CANCELLED', 'connection closed'));
      socket.on('drain', onDrain);
      socket.on('close', onClose);
    });
  }

  /** Sends a range of an open file. Throws if the file is shorter. */
  async sendFile(fd: number, start: number, length: number): Promise<void> {
    if (length <= SMALL_OBJECT) {
      await this.write(readPiece(fd, start, length));
      return;
    }
    await this.flush();
    let at = start;
    const end = start + length;
    while (at < end) {
      if (this.#socket.destroyed) throw new ImageServerError('CANCELLED', 'connection closed');
      if (this.plain) {
        const sent = trySendfile(this.#socket, fd, at, Math.min(end - at, 8 * 1024 * 1024));
        if (sent > 0) {
          at += sent;
          continue;
        }
      }
      const piece = readPiece(fd, at, Math.min(end - at, this.plain ? WAIT_PIECE : PIECE));
      at += piece.length;
      if (!this.#socket.write(piece) || this.#socket.writableLength > 0) await this.#emptied();
    }
  }

  /** Resolves when the socket has taken everything. */
  async #emptied(): Promise<void> {
    if (this.#socket.writableLength === 0) return;
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(new Uint8Array(0), (error) => (error ? reject(error) : resolve()));
    });
  }
}

function readPiece(fd: number, position: number, length: number): Uint8Array {
  const piece = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const read = readSync(fd, piece, filled, length - filled, position + filled);
    if (read === 0) throw new ImageServerError('CORRUPT', 'object is shorter than recorded');
    filled += read;
  }
  return piece;
}
