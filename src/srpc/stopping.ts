/** The server is being stopped. An AbortSignal would say the same; listening to one costs each connection ten times as much. */
export class Stopping {
  #begun = false;
  readonly #listeners = new Set<() => void>();

  get begun(): boolean {
    return this.#begun;
  }

  /** Called once, when it begins; not if it has begun already. */
  add(listener: () => void): void {
    this.#listeners.add(listener);
  }
  delete(listener: () => void): void {
    this.#listeners.delete(listener);
  }

  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}
