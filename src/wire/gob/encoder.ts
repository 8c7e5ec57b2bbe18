/**
 * The gob encoder. A fresh one is made for each call, so what depends only on the schema (definitions and the id of a
 * first value, the code that writes it) is made once and kept.
 */
import { ImageServerError } from '../../errors.ts';
import type { Schema, StructSchema, UnionSchema, ValueOf } from '../schema.ts';
import { encodeText } from '../text.ts';
import { type GoTime, isZeroTime, SECONDS_TO_EPOCH } from '../time.ts';
import { stripPointers, TypeTable } from './type-definitions.ts';
import { GobWriter } from './writer.ts';

/** Output of one Encode: whole messages, and the one being written. */
class Output {
  /** Payload of the open message. */
  readonly message = new GobWriter();
  readonly #messages = new GobWriter();
  constructor(public types: TypeTable) {}

  /** Ends the open message: its count and payload go out. */
  close(): void {
    this.#messages.bytes(this.message.buffer.subarray(0, this.message.length));
    this.message.length = 0;
  }
  /** A definition as a message of its own. */
  definition(bytes: Uint8Array): void {
    this.#messages.bytes(bytes);
  }
  take(): Uint8Array {
    return this.#messages.take();
  }
}

type Encode = (out: Output, value: never) => void;
type Write = (out: Output, value: unknown) => void;
interface Code {
  readonly write: Write;
  /** True if a struct field of this value is left out. */
  readonly omit: (value: unknown) => boolean;
}

const HEX = new Uint8Array(128);
for (let digit = 0; digit < 16; digit++) HEX[digit.toString(16).charCodeAt(0)] = digit;

function writeHash(out: Output, value: string): void {
  const writer = out.message;
  writer.reserve(130);
  const { buffer } = writer;
  let at = writer.length;
  buffer[at++] = 64;
  for (let index = 0; index < 128; index += 2) {
    const byte =
      ((HEX[value.charCodeAt(index)] as number) << 4) | (HEX[value.charCodeAt(index + 1)] as number);
    if (byte >= 0x80) buffer[at++] = 0xff;
    buffer[at++] = byte;
  }
  writer.length = at;
}

/** Go's binary form of a time: version 1, or 2 if the zone has odd seconds. */
export function timeBytes(time: GoTime): Uint8Array {
  const { unixNanos, offset } = time;
  let seconds = unixNanos / 1_000_000_000n;
  let nanos = unixNanos % 1_000_000_000n;
  if (nanos < 0n) {
    seconds -= 1n;
    nanos += 1_000_000_000n;
  }
  const oddSeconds = offset === undefined ? 0 : offset % 60;
  const view = new DataView(new ArrayBuffer(oddSeconds ? 16 : 15));
  view.setUint8(0, oddSeconds ? 2 : 1);
  view.setBigInt64(1, seconds + SECONDS_TO_EPOCH);
  view.setInt32(9, Number(nanos));
  view.setInt16(13, offset === undefined ? -1 : Math.trunc(offset / 60));
  if (oddSeconds) view.setInt8(15, oddSeconds);
  return new Uint8Array(view.buffer);
}

function structCode(schema: StructSchema): Code {
  const steps: { name: string; number: number; code: Code }[] = [];
  let number = 0;
  for (const [name, field] of schema.fields)
    steps.push({ name, number: number++, code: codeOf(field.schema) });
  const write: Write = (out, value) => {
    const fields = value as Record<string, unknown>;
    let previous = -1;
    for (let index = 0; index < steps.length; index++) {
      const { name, number, code } = steps[index] as (typeof steps)[number];
      const field = fields[name];
      if (field === undefined || code.omit(field)) {
        if (field !== undefined || !ALWAYS_SENT.has(code)) continue;
      }
      out.message.uint(number - previous);
      previous = number;
      code.write(out, field);
    }
    out.message.byte(0);
  };
  return { write, omit: () => false };
}

function unionCode(schema: UnionSchema): Code {
  const variants = new Map(
    schema.variants.map((variant) => [
      variant.tag,
      { ...variant, name: encodeText(variant.registeredName), code: lazy(variant.struct) },
    ]),
  );
  const body = new Output(new TypeTable());
  const write: Write = (out, value) => {
    if (value === null) return out.message.byte(0);
    const tag = (value as { Kind: string }).Kind;
    const variant = variants.get(tag);
    if (!variant) throw new ImageServerError('INVALID_REQUEST', `unknown Kind: ${tag}`);
    out.message.bytes(variant.name);
    let id = out.types.idOf(variant.struct);
    if (id === undefined) {
      // A type met inside a value is defined right there: that ends the message, further ones get their own.
      const [own, ...others] = out.types.define(variant.struct).map((one) => out.types.definitionBytes(one));
      out.message.raw(own as Uint8Array);
      out.close();
      for (const definition of others) out.definition(definition);
      id = out.types.idOf(variant.struct) as number;
    }
    out.message.int(id);
    body.message.length = 0;
    variant.code().write(body, value);
    out.message.uint(body.message.length);
    out.message.raw(body.message.buffer.subarray(0, body.message.length));
  };
  return { write, omit: (value) => value === null };
}

/** Structs may refer to themselves, so their code is found when it is first needed. */
function lazy(schema: Schema): () => Code {
  let code: Code | undefined;
  return () => {
    code ??= codeOf(schema);
    return code;
  };
}

/** Arrays and structs go out even when all zero; so does a field the value does not have. */
const ALWAYS_SENT = new WeakSet<Code>();
const codes = new WeakMap<Schema, Code>();

function codeOf(schema: Schema): Code {
  let code = codes.get(schema);
  if (!code) {
    if (schema.kind === 'struct') {
      const real = { current: undefined as Code | undefined };
      code = { write: (out, value) => (real.current as Code).write(out, value ?? {}), omit: () => false };
      codes.set(schema, code);
      real.current = structCode(schema);
    } else {
      code = makeCode(schema);
      codes.set(schema, code);
    }
    if (schema.kind === 'struct' || schema.kind === 'hash' || schema.kind === 'array') ALWAYS_SENT.add(code);
  }
  return code;
}

function makeCode(schema: Exclude<Schema, StructSchema>): Code {
  const of = <T>(write: (out: Output, value: T) => void, omit: (value: T) => boolean): Code => ({
    write: write as Encode as Write,
    omit: omit as (value: unknown) => boolean,
  });
  switch (schema.kind) {
    case 'bool':
      return of<boolean>(
        (out, value) => out.message.byte(value ? 1 : 0),
        (value) => !value,
      );
    case 'int':
      return schema.bits === 64
        ? of<bigint>(
            (out, value) => out.message.bigInt(value),
            (value) => value === 0n,
          )
        : of<number>(
            (out, value) => out.message.int(value),
            (value) => value === 0,
          );
    case 'uint':
      return schema.bits === 64
        ? of<bigint>(
            (out, value) => out.message.bigUint(value),
            (value) => value === 0n,
          )
        : of<number>(
            (out, value) => out.message.uint(value),
            (value) => value === 0,
          );
    case 'float':
      return of<number>(
        (out, value) => out.message.float(value),
        (value) => value === 0,
      );
    case 'string':
      return of<string>(
        (out, value) => out.message.text(value),
        (value) => value === '',
      );
    case 'bytes':
      return of<Uint8Array>(
        (out, value) => out.message.bytes(value),
        (value) => value.length === 0,
      );
    case 'hash':
      return of<string>(
        (out, value) => writeHash(out, value ?? NO_HASH),
        () => false,
      );
    case 'time':
      return of<GoTime>(
        (out, value) => out.message.bytes(timeBytes(value)),
        (value) => isZeroTime(value) && value.offset === undefined,
      );
    case 'pointer': {
      const target = lazy(schema.elem);
      return of<unknown>(
        (out, value) => target().write(out, value),
        (value) => value === null,
      );
    }
    case 'slice':
    case 'array': {
      const elem = lazy(schema.elem);
      return of<unknown[]>(
        (out, value) => {
          out.message.uint(value.length);
          const { write } = elem();
          for (const item of value) {
            if (item === null && (schema.elem as Schema).kind === 'pointer')
              throw new ImageServerError('INVALID_REQUEST', 'gob: encodeReflectValue: nil element');
            write(out, item);
          }
        },
        (value) => schema.kind === 'slice' && value.length === 0,
      );
    }
    case 'map': {
      const key = lazy(schema.key);
      const elem = lazy(schema.elem);
      return of<Map<unknown, unknown> | null>(
        (out, value) => {
          out.message.uint(value?.size ?? 0);
          const writeKey = key().write;
          const writeElem = elem().write;
          for (const [itemKey, item] of value ?? []) {
            writeKey(out, itemKey);
            writeElem(out, item);
          }
        },
        (value) => value === null,
      );
    }
    case 'union':
      return unionCode(schema);
  }
}

const NO_HASH = '0'.repeat(128);

/** What a fresh encoder sends before its first value of a schema. */
interface First {
  readonly definitions: Uint8Array;
  readonly types: TypeTable;
  readonly id: number;
}
const firsts = new WeakMap<Schema, First>();

function define(schema: Schema, from?: TypeTable): First {
  const types = new TypeTable(from);
  const definitions = new GobWriter();
  for (const one of types.define(schema)) definitions.bytes(types.definitionBytes(one));
  return { definitions: definitions.take(), types, id: types.idOf(schema) as number };
}

export class GobEncoder {
  #types: TypeTable | undefined;
  /** The table is shared with other encoders and must be copied before it grows. */
  #shared = false;
  readonly #known = new Map<Schema, number>();

  /** Definitions not sent yet and the value, as complete messages. */
  encode<S extends Schema>(schema: S, value: ValueOf<S>): Uint8Array {
    let definitions: Uint8Array | undefined;
    let id = this.#known.get(schema);
    if (id === undefined) {
      let first: First | undefined;
      if (this.#types === undefined) {
        first = firsts.get(schema) ?? define(schema);
        firsts.set(schema, first);
        this.#shared = true;
      } else first = define(schema, this.#types);
      this.#types = first.types;
      if (this.#known.size > 0) this.#shared = false;
      definitions = first.definitions;
      id = first.id;
      this.#known.set(schema, id);
    }
    let types = this.#types as TypeTable;
    if (this.#shared && hasUnion(schema)) {
      types = new TypeTable(types);
      this.#types = types;
      this.#shared = false;
    }
    const out = new Output(types);
    const type = stripPointers(schema);
    out.message.int(id);
    if (type.kind !== 'struct') out.message.byte(0);
    codeOf(type).write(out, value);
    out.close();
    const bytes = out.take();
    if (!definitions?.length) return bytes;
    const both = new Uint8Array(definitions.length + bytes.length);
    both.set(definitions);
    both.set(bytes, definitions.length);
    return both;
  }
}

const unions = new WeakMap<Schema, boolean>();

/** Whether values of this schema may define further types while they are written. */
export function hasUnion(schema: Schema): boolean {
  let known = unions.get(schema);
  if (known === undefined) {
    unions.set(schema, false);
    known =
      schema.kind === 'union' ||
      (schema.kind === 'struct' &&
        [...(schema as StructSchema).fields.values()].some((field) => hasUnion(field.schema))) ||
      (schema.kind === 'map' && hasUnion(schema.elem)) ||
      ((schema.kind === 'slice' || schema.kind === 'array' || schema.kind === 'pointer') &&
        hasUnion(schema.elem));
    unions.set(schema, known);
  }
  return known;
}

/** The stream of a fresh encoder for one value. */
export function encodeOnce<S extends Schema>(schema: S, value: ValueOf<S>): Uint8Array {
  return new GobEncoder().encode(schema, value);
}
