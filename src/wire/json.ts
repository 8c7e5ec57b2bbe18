/**
 * The JSON forms of messages. Go's: exactly what encoding/json makes of the original's types (the SRPC JSON coder).
 * Ours, for HTTP: 64-bit numbers lossless, inodes with their `Kind`, unknown fields refused by name.
 */
import { parseJson, readJson } from './json-read.ts';
import { jsonPieces, writeJson } from './json-write.ts';
import type { Schema, ValueOf } from './schema.ts';

export { formatTime, parseTime } from './json-time.ts';

/** Characters of one piece of a long text. */
const PIECE = 64 * 1024;

/** Go's form, without a newline. */
export function toGoJson(schema: Schema, value: unknown): string {
  return writeJson('go', schema, value);
}
/** Our form. */
export function toJson(schema: Schema, value: unknown): string {
  return writeJson('http', schema, value);
}
/** Our form in pieces of about 64 KiB, each made when it is asked for: images need not be written in one go. */
export function jsonChunks(schema: Schema, value: unknown): Iterable<string> {
  return jsonPieces('http', schema, value, PIECE);
}
/** Go's form in pieces. */
export function goJsonChunks(schema: Schema, value: unknown): Iterable<string> {
  return jsonPieces('go', schema, value, PIECE);
}

/** Reads Go's form: field names match in any case, unknown ones are ignored. Throws INVALID_REQUEST with Go's text. */
export function fromGoJson<S extends Schema>(schema: S, source: string): NonNullable<ValueOf<S>> {
  return readJson('go', schema, parseJson('go', source)) as NonNullable<ValueOf<S>>;
}
/** Reads our form from its text. Throws INVALID_REQUEST naming what does not fit. */
export function fromJson<S extends Schema>(schema: S, source: string): NonNullable<ValueOf<S>> {
  return readJson('http', schema, parseJson('http', source)) as NonNullable<ValueOf<S>>;
}
