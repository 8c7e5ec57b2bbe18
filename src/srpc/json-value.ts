/**
 * Finds the end of a JSON value in bytes that come in pieces, without reading a byte behind it: raw bytes may follow.
 * Only brackets and strings are looked at; whether the value is good is the decoder's business.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;

export class JsonEnd {
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Inside of something that has no end mark of its own: a number, a word, garbage. It ends with white space. */
  #bare = false;

  /** Number of bytes of `chunk` that belong to the value if it ends in it; -1 if it goes on. */
  scan(chunk: Uint8Array): number {
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index] as number;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) {
          this.#inString = false;
          if (this.#depth === 0) return index + 1;
        }
        continue;
      }
      if (byte <= 0x20) {
        if (this.#bare && (byte === NEWLINE || this.#depth === 0)) return index;
        continue;
      }
      if (byte === QUOTE && !this.#bare) this.#inString = true;
      else if (byte === 0x7b || byte === 0x5b) this.#depth++;
      else if (byte === 0x7d || byte === 0x5d) {
        if (--this.#depth <= 0) return index + 1;
      } else if (this.#depth === 0) this.#bare = true;
    }
    return -1;
  }
}
