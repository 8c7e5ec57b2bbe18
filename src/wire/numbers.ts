/** Inode numbers in typed arrays, and finding them. */
import type { Cursor } from './gob/cursor.ts';

/** Numbers in the order met; those beyond 53 bits are kept apart and stand in as negative ones. */
export class NumberColumn {
  values = new Float64Array(1024);
  length = 0;
  constructor(private readonly large: Map<bigint, number>) {}

  add(value: number): void {
    if (this.length === this.values.length)
      this.values = new Float64Array(this.values.buffer.transfer(this.length * 2 * 8));
    this.values[this.length++] = value;
  }
  addLarge(value: bigint): void {
    let alias = this.large.get(value);
    if (alias === undefined) {
      alias = -1 - this.large.size;
      this.large.set(value, alias);
    }
    this.add(alias);
  }
  addBig(value: bigint): void {
    if (value <= Number.MAX_SAFE_INTEGER) this.add(Number(value));
    else this.addLarge(value);
  }
  /** Gives its memory back. */
  release(): void {
    this.values = new Float64Array(this.values.buffer.transfer(0));
    this.length = 0;
  }
  /** Takes an unsigned number from the cursor. */
  take(cursor: Cursor): void {
    const { at } = cursor;
    const value = cursor.uint();
    if (value !== Number.POSITIVE_INFINITY) this.add(value);
    else {
      cursor.at = at;
      this.addLarge(cursor.bigUint());
    }
  }
}

const SEED = (Math.random() * 0x7fffffff) | 1;

/** Finds the index of an inode number; open addressing, about 10 ns a look. */
export class NumberIndex {
  readonly #slots: Int32Array<ArrayBuffer>;
  readonly #mask: number;
  constructor(private readonly column: NumberColumn) {
    let size = 16;
    while (size < column.length * 2) size *= 2;
    this.#slots = new Int32Array(size);
    this.#mask = size - 1;
  }
  #slot(value: number): number {
    const high = (value / 0x1_0000_0000) | 0;
    const mixed = Math.imul((value | 0) ^ Math.imul(high, SEED), 0x9e3779b1) ^ SEED;
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }
  /** In place of an equal number; -1, or the index that had it. */
  add(index: number): number {
    const value = this.column.values[index] as number;
    let slot = this.#slot(value);
    let before = 0;
    for (; ; slot = (slot + 1) & this.#mask) {
      before = this.#slots[slot] as number;
      if (before === 0 || this.column.values[before - 1] === value) break;
    }
    this.#slots[slot] = index + 1;
    return before - 1;
  }
  release(): void {
    this.#slots.buffer.transfer(0);
  }
  /** -1 if the number is not there. */
  find(value: number): number {
    let slot = this.#slot(value);
    for (let at = this.#slots[slot] as number; at !== 0; at = this.#slots[slot] as number) {
      if (this.column.values[at - 1] === value) return at - 1;
      slot = (slot + 1) & this.#mask;
    }
    return -1;
  }
}
