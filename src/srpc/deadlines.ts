/** Deadlines of many connections with one timer: setting one costs next to nothing. They are kept to about a second. */
import type { PeerSocket } from './peer-socket.ts';

const STEP_MS = 500;

/** What becomes of a socket that is too late, if it is not just destroyed. */
type Lateness = (() => void) | undefined;

export class Deadlines {
  readonly #due = new Map<PeerSocket, { at: number; late: Lateness }>();
  #timer: NodeJS.Timeout | undefined;

  /** The socket is destroyed, or `late` called, if `clear` or another `set` does not come within so many milliseconds. */
  set(socket: PeerSocket, milliseconds: number, late?: Lateness): void {
    if (socket.destroyed) return;
    this.#due.set(socket, { at: performance.now() + milliseconds, late });
    this.#timer ??= setInterval(() => this.#sweep(), STEP_MS).unref();
  }

  clear(socket: PeerSocket): void {
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
    for (const [socket, { at, late }] of this.#due) {
      if (at > now) continue;
      this.#due.delete(socket);
      if (late) late();
      else socket.destroy();
    }
    if (this.#due.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** What a connection waits for its peer with: told of every wait, reading or writing; waits may overlap. */
export class Patience {
  #waits = 0;
  readonly #late: () => void;

  constructor(
    readonly socket: PeerSocket,
    readonly deadlines: Deadlines,
    readonly milliseconds: number,
    reason: () => Error,
  ) {
    this.#late = () => socket.destroy(reason());
  }

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
    this.deadlines.set(this.socket, this.milliseconds, this.#late);
  }
}
