/** Deadlines of many connections with one timer: setting one costs next to nothing. They are kept to about a second. */
import type { Socket } from 'node:net';

const STEP_MS = 500;

export class Deadlines {
  readonly #due = new Map<Socket, number>();
  #timer: NodeJS.Timeout | undefined;

  /** The socket is destroyed if `clear` or another `set` does not come within so many milliseconds. */
  set(socket: Socket, milliseconds: number): void {
    if (socket.destroyed) return;
    this.#due.set(socket, performance.now() + milliseconds);
    this.#timer ??= setInterval(() => this.#sweep(), STEP_MS).unref();
  }

  clear(socket: Socket): void {
    this.#due.delete(socket);
  }

  get size(): number {
    return this.#due.size;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#due.clear();
  }

  #sweep(): void {
    const now = performance.now();
    for (const [socket, due] of this.#due) {
      if (due > now) continue;
      this.#due.delete(socket);
      socket.destroy();
    }
    if (this.#due.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
