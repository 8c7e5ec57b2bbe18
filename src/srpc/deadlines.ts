/** Deadlines of many connections with one timer: setting one costs next to nothing. They are kept to about a second. */
import type { Socket } from 'node:net';

const STEP_MS = 500;

export class Deadlines {
  readonly #due = new Map<Socket, { at: number; reason?: Error | undefined }>();
  #timer: NodeJS.Timeout | undefined;

  /** The socket is destroyed, for `reason`, if `clear` or another `set` does not come within so many milliseconds. */
  set(socket: Socket, milliseconds: number, reason?: Error): void {
    if (socket.destroyed) return;
    this.#due.set(socket, { at: performance.now() + milliseconds, reason });
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
    for (const [socket, { at, reason }] of this.#due) {
      if (at > now) continue;
      this.#due.delete(socket);
      socket.destroy(reason);
    }
    if (this.#due.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** What a connection waits for its peer with: told of every wait, reading or writing; waits may overlap. */
export class Patience {
  #waits = 0;

  constructor(
    readonly socket: Socket,
    readonly deadlines: Deadlines,
    readonly milliseconds: number,
    readonly reason: Error,
  ) {}

  begin(): void {
    this.#waits++;
    this.#set();
  }
  /** The peer has moved; the wait goes on. */
  moved(): void {
    this.#set();
  }
  /** The peer has moved. */
  end(): void {
    if (--this.#waits > 0) this.#set();
    else this.deadlines.clear(this.socket);
  }
  #set(): void {
    this.deadlines.set(this.socket, this.milliseconds, this.reason);
  }
}
