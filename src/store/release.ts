/**
 * Gives back the memory of bytes that nobody else has: the collector would do so late, as there are few of them. Whoever
 * uses them all the same finds nothing.
 */
export function release(bytes: Uint8Array | Float64Array): void {
  (bytes.buffer as ArrayBuffer).transfer(0);
}
