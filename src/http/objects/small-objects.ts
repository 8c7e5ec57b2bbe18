/**
 * Small objects that were asked for lately, in memory: a file that is opened, looked at, read and closed costs twice the
 * rest of an answer. Only what has its hash is kept, and whoever takes it from here asks the store first whether it is
 * still there.
 */
import { sha512Hex } from '../../sha512.ts';
import type { Hash } from '../../store/types.ts';

/** Larger ones cost their bytes, not their files. */
const MAX_OBJECT = 16 * 1024;
const MAX_BYTES = 16 * 1024 * 1024;
/** What an entry takes beside its bytes. */
const OVERHEAD = 512;

export class SmallObjects {
  readonly #kept = new Map<Hash, Uint8Array<ArrayBuffer>>();
  #bytes = 0;

  constructor(readonly maxBytes = MAX_BYTES) {}

  get(hash: Hash): Uint8Array<ArrayBuffer> | undefined {
    return this.#kept.get(hash);
  }

  /** Keeps a copy; those that came first make room. */
  keep(hash: Hash, bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length > MAX_OBJECT || this.#kept.has(hash)) return;
    if (sha512Hex(bytes) !== hash) return;
    this.#kept.set(hash, bytes.slice());
    this.#bytes += bytes.length + OVERHEAD;
    for (const [first, { length }] of this.#kept) {
      if (this.#bytes <= this.maxBytes) break;
      this.#kept.delete(first);
      this.#bytes -= length + OVERHEAD;
    }
  }
}
