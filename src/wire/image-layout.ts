/** Where the fields of an encoded image lie in its messages, so that some can be replaced without decoding the rest. */
import { badData, Cursor } from './gob/cursor.ts';
import { WireTypes } from './gob/wire-types.ts';
import { GobWriter } from './gob/writer.ts';

/** A top-level field of the Image struct; positions are offsets into the whole stream. */
export interface FieldSpan {
  readonly name: string;
  readonly number: number;
  /** Where the delta before the value begins. */
  readonly token: number;
  readonly start: number;
  readonly end: number;
}

export interface ImageLayout {
  readonly fields: readonly FieldSpan[];
  /** Where the byte ending the struct stands, or would stand: it may be missing at the end of a message. */
  readonly structEnd: number;
}

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/** Payload of the message whose count begins at `at`. */
export function messageAt(bytes: Uint8Array, at: number): { start: number; end: number } {
  const first = bytes[at];
  if (first === undefined) throw badData('unexpected EOF');
  let count = first;
  let start = at + 1;
  if (first > 127) {
    const width = 256 - first;
    if (width > 8) throw badData('invalid message length');
    count = 0;
    for (let index = 0; index < width; index++) count = count * 256 + (bytes[start++] ?? 0);
  }
  if (count === 0) throw badData('EOF');
  if (start + count > bytes.length) throw badData('unexpected EOF');
  return { start, end: start + count };
}

export interface StreamHead {
  readonly types: WireTypes;
  /** Where the count of the first value message begins: before it are definitions only. */
  readonly at: number;
  /** Payload of the first value message, and its type id. */
  readonly start: number;
  readonly end: number;
  readonly id: number;
  /** Behind the id. */
  readonly body: number;
}

/** Reads the definitions at the beginning of a stream. */
export function readHead(bytes: Uint8Array): StreamHead {
  const cursor = new Cursor();
  let types = WireTypes.none;
  for (let at = 0; ; ) {
    const { start, end } = messageAt(bytes, at);
    cursor.set(bytes.subarray(start, end));
    const id = cursor.int();
    if (id >= 0) return { types, at, start, end, id, body: start + cursor.at };
    types = types.define(-id, cursor);
    at = end;
  }
}

/** An unsigned number as gob writes it. */
export function encodedUint(value: number): Uint8Array {
  const writer = new GobWriter();
  writer.uint(value);
  return writer.take();
}

/**
 * Applies edits, each inside one message, and mends the counts of the messages they touch. Everything else is copied
 * once.
 */
export function applyEdits(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const sorted = edits.toSorted((a, b) => a.start - b.start || a.end - b.end);
  const parts: Uint8Array[] = [];
  let copied = 0;
  let next = 0;
  for (let at = 0; at < bytes.length && next < sorted.length; ) {
    const { start, end } = messageAt(bytes, at);
    let growth = 0;
    let last = next;
    for (let edit = sorted[last]; edit && edit.start >= start && edit.end <= end; edit = sorted[++last])
      growth += edit.bytes.length - (edit.end - edit.start);
    if (last > next) {
      parts.push(bytes.subarray(copied, at), encodedUint(end - start + growth));
      copied = start;
      for (; next < last; next++) {
        const edit = sorted[next] as Edit;
        parts.push(bytes.subarray(copied, edit.start), edit.bytes);
        copied = edit.end;
      }
    }
    at = end;
  }
  if (next !== sorted.length) throw new Error('an edit crosses messages');
  parts.push(bytes.subarray(copied));
  return Buffer.concat(parts);
}

/**
 * The edits that give fields new values; `values` by field name, encoded. Undefined if the sender's type does not have
 * one of the fields.
 */
export function replaceFields(
  layout: ImageLayout,
  numbers: ReadonlyMap<string, number>,
  values: ReadonlyMap<string, Uint8Array>,
): Edit[] | undefined {
  const edits: Edit[] = [];
  const added: { number: number; bytes: Uint8Array }[] = [];
  for (const [name, bytes] of values) {
    const number = numbers.get(name);
    if (number === undefined) return undefined;
    const present = layout.fields.find((field) => field.number === number);
    if (present) edits.push({ start: present.start, end: present.end, bytes });
    else added.push({ number, bytes });
  }
  added.sort((a, b) => a.number - b.number);
  let previous = -1;
  let pending = 0;
  for (const field of [...layout.fields, undefined]) {
    const parts: Uint8Array[] = [];
    for (
      let one = added[pending];
      one && one.number < (field?.number ?? Number.POSITIVE_INFINITY);
      one = added[++pending]
    ) {
      parts.push(encodedUint(one.number - previous), one.bytes);
      previous = one.number;
    }
    if (parts.length > 0 && field) parts.push(encodedUint(field.number - previous));
    if (parts.length > 0)
      edits.push({
        start: field?.token ?? layout.structEnd,
        end: field?.start ?? layout.structEnd,
        bytes: Buffer.concat(parts),
      });
    if (field) previous = field.number;
  }
  return edits;
}
