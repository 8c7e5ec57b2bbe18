/**
 * The gob encoder. A fresh one is made for each call, so what depends only on the schema (definitions and the id of a
 * first value, the code that writes it) is made once and kept.
 */
import type { Schema, ValueOf } from '../schema.ts';
import { stripPointers, TypeTable } from './type-definitions.ts';
import { hasInterface, Output, writerOf } from './value-writer.ts';
import { GobWriter } from './writer.ts';

/** What a fresh encoder sends before its first value of a schema. */
interface First {
  readonly definitions: Uint8Array;
  readonly types: TypeTable;
  readonly id: number;
  readonly single: boolean;
  readonly open: boolean;
}
const firsts = new WeakMap<Schema, First>();

function define(schema: Schema, from?: TypeTable): First {
  const types = new TypeTable(from);
  const definitions = new GobWriter();
  for (const one of types.define(schema)) definitions.bytes(types.definitionBytes(one));
  return {
    definitions: definitions.take(),
    types,
    id: types.idOf(schema) as number,
    single: stripPointers(schema).kind !== 'struct',
    open: hasInterface(schema),
  };
}

/** Encoding is never interrupted, so one buffer does for all; a very long value does not leave its buffer behind. */
let shared = new Output(64 * 1024);
const MAX_KEPT = 4 * 1024 * 1024;
let busy = false;

/** Bytes of an unsigned number. */
function uintWidth(value: number): number {
  return value < 0x80
    ? 1
    : value < 0x100
      ? 2
      : value < 0x10000
        ? 3
        : value < 0x1000000
          ? 4
          : value < 0x100000000
            ? 5
            : 9;
}

/** Writes a count at `at`; answers where it ends. */
function putUint(bytes: Uint8Array, at: number, value: number): number {
  const width = uintWidth(value);
  if (width === 1) bytes[at] = value;
  else {
    bytes[at] = 257 - width;
    let rest = value;
    for (let index = at + width - 1; index > at; index--) {
      bytes[index] = rest & 0xff;
      rest = Math.floor(rest / 256);
    }
  }
  return at + width;
}

/** Definitions and the messages in `out` as one piece. */
function assemble(definitions: Uint8Array | undefined, out: Output): Uint8Array {
  let total = definitions?.length ?? 0;
  let start = 0;
  for (const end of out.ends) {
    total += uintWidth(end - start) + end - start;
    start = end;
  }
  const bytes = new Uint8Array(total);
  let at = 0;
  if (definitions) {
    bytes.set(definitions);
    at = definitions.length;
  }
  start = 0;
  for (const end of out.ends) {
    at = putUint(bytes, at, end - start);
    if (end - start < 64)
      for (let index = start; index < end; index++) bytes[at++] = out.buffer[index] as number;
    else {
      bytes.set(out.buffer.subarray(start, end), at);
      at += end - start;
    }
    start = end;
  }
  return bytes;
}

export class GobEncoder {
  #types: TypeTable | undefined;
  /** Schemas sent so far, once there are more than one. */
  #known: Map<Schema, First> | undefined;
  #first: Schema | undefined;
  #firstOf: First | undefined;

  /** What is needed for a schema, and whether its definitions must go out. */
  #prepare(schema: Schema): { first: First; fresh: boolean } {
    if (schema === this.#first) return { first: this.#firstOf as First, fresh: false };
    if (this.#first === undefined) {
      let first = firsts.get(schema);
      if (!first) {
        first = define(schema);
        firsts.set(schema, first);
      }
      this.#first = schema;
      this.#firstOf = first;
      this.#types = first.open ? new TypeTable(first.types) : first.types;
      return { first, fresh: true };
    }
    this.#known ??= new Map();
    const known = this.#known.get(schema);
    if (known) return { first: known, fresh: false };
    const first = define(schema, this.#types);
    this.#types = first.types;
    this.#known.set(schema, first);
    return { first, fresh: true };
  }

  /** Definitions not sent yet and the value, as complete messages. */
  encode<S extends Schema>(schema: S, value: ValueOf<S>): Uint8Array {
    const { first, fresh } = this.#prepare(schema);
    const out = busy ? new Output() : shared;
    const outer = busy;
    busy = true;
    try {
      out.types = this.#types;
      out.length = 0;
      out.ends.length = 0;
      out.inside = 0;
      out.int(first.id);
      if (first.single) out.byte(0);
      writerOf(schema)(out, value as never);
      out.ends.push(out.length);
      return assemble(fresh ? first.definitions : undefined, out);
    } finally {
      busy = outer;
      out.types = undefined;
      if (out === shared && out.buffer.length > MAX_KEPT) shared = new Output(64 * 1024);
    }
  }
}

/** The stream of a fresh encoder for one value. */
export function encodeOnce<S extends Schema>(schema: S, value: ValueOf<S>): Uint8Array {
  return new GobEncoder().encode(schema, value);
}
