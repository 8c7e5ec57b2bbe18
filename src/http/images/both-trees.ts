/** Two trees that are compared. */
import type { ImageTree } from '../../store/types.ts';
import type { Source } from '../text-stream.ts';

/** Two trees that have to be there at the same time. */
export class BothTrees implements Source {
  constructor(
    readonly left: ImageTree,
    readonly right: ImageTree,
  ) {}

  use(): void | Promise<void> {
    const loading = this.left.use() ?? this.right.use();
    if (loading) return this.#load(loading);
  }
  async #load(first: Promise<void>): Promise<void> {
    for (let loading: void | Promise<void> = first; loading; loading = this.left.use() ?? this.right.use())
      await loading;
  }
}
