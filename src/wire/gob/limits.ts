/** What one stream may ask of the decoder. Everything a value makes us keep is bounded by these and by its length. */

export interface GobLimits {
  /** Bytes of one message. */
  readonly maxMessageBytes: number;
  /** Bytes of all messages of one value. */
  readonly maxValueBytes: number;
  /** Types one stream may define. */
  readonly maxTypes: number;
  /** Bytes of all definitions of one stream. */
  readonly maxDefinitionBytes: number;
  /** Nesting of structs, slices, maps and interfaces. */
  readonly maxDepth: number;
  /** Memory that the values made may take in any case, bytes (an estimate). */
  readonly memory: number;
  /** And for each byte of the value: one byte of input may be an element, and that an object with many fields. */
  readonly memoryPerByte: number;
}

export const DEFAULT_LIMITS: GobLimits = Object.freeze({
  maxMessageBytes: 256 * 1024 * 1024,
  maxValueBytes: 512 * 1024 * 1024,
  maxTypes: 500,
  maxDefinitionBytes: 64 * 1024,
  maxDepth: 200,
  memory: 64 * 1024 * 1024,
  memoryPerByte: 32,
});
