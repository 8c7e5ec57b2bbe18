/** Where the fields of an encoded image lie in its messages, so that some can be replaced without decoding the rest. */
import { badData } from './gob/cursor.ts';
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
  /** Where the byte ending the struct stands. */
  readonly structEnd: number;
}

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/** Reads the count of the message at `at`. */
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
  if (start + count > bytes.length) throw badData('unexpected EOF');
  return { start, end: start + count };
}

/** Applies edits, each inside one message, and mends the counts of the messages they touch. */
export function applyEdits(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const sorted = edits.toSorted((a, b) => a.start - b.start || a.end - b.end);
  const out = new GobWriter();
  out.reserve(bytes.length + 1024);
  let next = 0;
  for (let at = 0; at < bytes.length; ) {
    const { start, end } = messageAt(bytes, at);
    let growth = 0;
    let last = next;
    for (
      ;
      last < sorted.length && (sorted[last] as Edit).end <= end && (sorted[last] as Edit).start >= start;
      last++
    ) {
      const edit = sorted[last] as Edit;
      growth += edit.bytes.length - (edit.end - edit.start);
    }
    out.uint(end - start + growth);
    let from = start;
    for (; next < last; next++) {
      const edit = sorted[next] as Edit;
      out.raw(bytes.subarray(from, edit.start));
      out.raw(edit.bytes);
      from = edit.end;
    }
    out.raw(bytes.subarray(from, end));
    at = end;
  }
  if (next !== sorted.length) throw new Error('an edit crosses messages');
  return out.take();
}

function delta(value: number): Uint8Array {
  const writer = new GobWriter();
  writer.uint(value);
  return writer.take();
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
    while (
      pending < added.length &&
      (added[pending] as { number: number }).number < (field?.number ?? Infinity)
    ) {
      const { number, bytes } = added[pending++] as { number: number; bytes: Uint8Array };
      parts.push(delta(number - previous), bytes);
      previous = number;
    }
    if (parts.length > 0 && field) parts.push(delta(field.number - previous));
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
