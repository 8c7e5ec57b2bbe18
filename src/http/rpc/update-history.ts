/**
 * The last changes of the catalogue with their sequence numbers, shared by all Server-Sent Events listeners: each keeps
 * only a place in it, so a slow listener costs nothing, and one that comes back goes on where it was.
 */
import type { CatalogueEvent, ImageStore } from '../../store/types.ts';

const DEFAULT_LIMIT = 10_000;

export class UpdateHistory {
  readonly #events: CatalogueEvent[] = [];
  /** Events dropped from the front so far: the position of `#events[0]`. */
  #dropped = 0;
  #changed = Promise.withResolvers<void>();

  constructor(
    images: Pick<ImageStore, 'subscribe'>,
    readonly limit = DEFAULT_LIMIT,
  ) {
    images.subscribe((event) => {
      this.#events.push(event);
      // In larger steps, so that dropping costs next to nothing.
      if (this.#events.length >= 2 * this.limit) {
        this.#events.splice(0, this.limit);
        this.#dropped += this.limit;
      }
      const changed = this.#changed;
      this.#changed = Promise.withResolvers();
      changed.resolve();
    });
  }

  /** The position after the newest event. */
  get end(): number {
    return this.#dropped + this.#events.length;
  }

  /** Event at a position; undefined if it is not there any more or not yet. */
  at(position: number): CatalogueEvent | undefined {
    return this.#events[position - this.#dropped];
  }

  /** True if everything from this position on is still known. */
  reaches(position: number): boolean {
    return position >= this.#dropped && position <= this.end;
  }

  /** Resolves at the next event. */
  changed(): Promise<void> {
    return this.#changed.promise;
  }
}
