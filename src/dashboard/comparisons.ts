/**
 * What differs between two images, for the pages of a list: scanned once and then kept for a while, because whoever reads
 * on asks for the next page, and each scan goes through both trees.
 */
import type { BothTrees } from '../http/images/both-trees.ts';
import { others } from '../http/text-stream.ts';
import { compareTrees, type Difference } from '../image/compare.ts';

/** Of all that is kept, bytes. */
const MAX_BYTES = 8 * 1024 * 1024;
/** What a row takes beside its path. */
const ROW_BYTES = 200;
/** Paths looked at before others get their turn. */
const LOOK_EVERY = 1000;

/** One path, as it is shown. */
export interface DifferenceRow {
  readonly path: string;
  readonly change: string;
  /** Undefined: not there. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

export interface Differences {
  /** Those of the page. */
  readonly shown: readonly DifferenceRow[];
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

interface Kept {
  /** The first ones: all of them if they fit. */
  readonly rows: DifferenceRow[];
  readonly total: number;
  readonly bytes: number;
  readonly counts: Omit<Differences, 'shown'>;
}

export class Comparisons {
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(
    readonly rowOf: (difference: Difference) => DifferenceRow,
    readonly maxBytes = MAX_BYTES,
  ) {}

  /** `rows` of them from `offset` on. `key` names the versions of both images; `open` is only called if they are read. */
  async page(
    key: string,
    offset: number,
    rows: number,
    open: () => Promise<BothTrees>,
  ): Promise<Differences> {
    const kept = this.#kept.get(key);
    const end = offset + rows;
    if (kept && (kept.rows.length === kept.total || end <= kept.rows.length))
      return { shown: kept.rows.slice(offset, end), ...kept.counts };
    return this.#scan(key, offset, end, await open());
  }

  /** In slices. */
  async #scan(key: string, offset: number, end: number, both: BothTrees): Promise<Differences> {
    await both.use();
    const left = both.left.image.FileSystem;
    const right = both.right.image.FileSystem;
    const shown: DifferenceRow[] = [];
    const first: DifferenceRow[] = [];
    const counts = { added: 0, removed: 0, changed: 0 };
    let [bytes, total, looked] = [0, 0, 0];
    if (left && right)
      for (const difference of compareTrees(left, right)) {
        if (++looked % LOOK_EVERY === 0) {
          await others();
          await both.use();
        }
        if (!difference) continue;
        if (!difference.right) counts.removed++;
        else if (!difference.left) counts.added++;
        else counts.changed++;
        const size = ROW_BYTES + difference.path.length;
        const fits = first.length === total && bytes + size <= this.maxBytes;
        const wanted = total >= offset && total < end;
        total++;
        if (!fits && !wanted) continue;
        const row = this.rowOf(difference);
        if (wanted) shown.push(row);
        if (!fits) continue;
        first.push(row);
        bytes += size;
      }
    this.#keep(key, { rows: first, total, bytes, counts });
    return { shown, ...counts };
  }

  #keep(key: string, kept: Kept): void {
    this.#bytes += kept.bytes - (this.#kept.get(key)?.bytes ?? 0);
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#bytes <= this.maxBytes) break;
      this.#kept.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}
