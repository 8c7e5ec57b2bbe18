/** How values of a schema are written; the functions are made once for each schema and kept. */
import { ImageServerError } from '../../errors.ts';
import type { AnySchema, Schema, StructSchema, UnionSchema } from '../schema.ts';
import { encodeText } from '../text.ts';
import { compileStructWriter } from './struct-writer.ts';
import { stripPointers, type TypeTable } from './type-definitions.ts';
import { GobWriter } from './writer.ts';
import { zeroOf } from './zero.ts';

/** The value being encoded: payloads of its messages, one behind the other, and where each of them ends. */
export class Output extends GobWriter {
  readonly ends: number[] = [];
  /** What is defined on this stream; set before a value is written. */
  types: TypeTable | undefined;
  /** Nesting of interface values: no definitions may go out inside one. */
  inside = 0;
}

export type Write = (out: Output, value: never) => void;

const kept = new WeakMap<Schema, Write>();

/** Structs may contain themselves, so a function is found by the time it is first called. */
function later(schema: Schema): Write {
  let write: Write | undefined;
  return (out, value) => {
    write ??= writerOf(schema);
    write(out, value);
  };
}

export function writerOf(schema: Schema): Write {
  let write = kept.get(schema);
  if (!write) {
    write = make(schema);
    kept.set(schema, write);
  }
  return write;
}

function make(schema: Schema): Write {
  const of = <T>(write: (out: Output, value: T) => void) => write as Write;
  switch (schema.kind) {
    case 'bool':
      return of<boolean>((out, value) => out.byte(value ? 1 : 0));
    case 'int':
      return schema.bits === 64
        ? of<bigint>((out, value) => out.bigInt(value))
        : of<number>((out, value) => out.int(value));
    case 'uint':
      return schema.bits === 64
        ? of<bigint>((out, value) => out.bigUint(value))
        : of<number>((out, value) => out.uint(value));
    case 'float':
      return of<number>((out, value) => out.float(value));
    case 'complex':
      return of<readonly [number, number]>((out, [real, imaginary]) => {
        out.float(real);
        out.float(imaginary);
      });
    case 'string':
      return of<string>((out, value) => out.text(value));
    case 'bytes':
      return of<Uint8Array>((out, value) => out.bytes(value));
    case 'hash':
      return of<string>((out, value) => out.hash(value));
    case 'time':
      return of<never>((out, value) => out.time(value));
    case 'pointer':
      return later(schema.elem);
    case 'slice':
    case 'array':
      return listWriter(schema);
    case 'map': {
      const key = later(schema.key);
      const elem = later(schema.elem);
      return of<Map<never, never> | null>((out, value) => {
        out.uint(value?.size ?? 0);
        for (const [itemKey, item] of value ?? []) {
          key(out, itemKey);
          elem(out, item);
        }
      });
    }
    case 'struct': {
      const write = compileStructWriter(schema, later);
      return of<unknown>((out, value) => write(out, (value ?? {}) as never));
    }
    case 'union':
      return unionWriter(schema);
    case 'any':
      return anyWriter(schema);
  }
}

function listWriter(schema: Extract<Schema, { kind: 'slice' | 'array' }>): Write {
  const elem = later(schema.elem);
  const pointers = (schema.elem as Schema).kind === 'pointer';
  const write = (out: Output, value: readonly never[] | undefined) => {
    const list = value ?? (zeroOf(schema) as never[]);
    if (schema.kind === 'array' && list.length !== schema.length)
      throw new ImageServerError(
        'INVALID_REQUEST',
        `gob: array of ${list.length} instead of ${schema.length}`,
      );
    out.uint(list.length);
    for (let index = 0; index < list.length; index++) {
      const item = list[index] as never;
      if (item === null && pointers)
        throw new ImageServerError('INVALID_REQUEST', 'gob: encodeReflectValue: nil element');
      elem(out, item);
    }
  };
  return write as Write;
}

/** Puts the count of a value before it once it is written; its width is guessed from the one before. */
class Counted {
  #width = 2;

  /** Leaves room for the count; answers where the value begins. */
  begin(out: Output): number {
    out.reserve(this.#width);
    out.length += this.#width;
    out.inside++;
    return out.length;
  }
  end(out: Output, start: number): void {
    out.inside--;
    const size = out.length - start;
    const width = size < 0x80 ? 1 : size < 0x100 ? 2 : size < 0x10000 ? 3 : size < 0x1000000 ? 4 : 5;
    const from = start - this.#width;
    if (width !== this.#width) {
      out.reserve(width);
      out.buffer.copyWithin(from + width, start, start + size);
    }
    out.length = from;
    out.uint(size);
    out.length = from + width + size;
    // What comes next has been begun with the old width if it is around this one.
    if (out.inside === 0) this.#width = width;
  }
}

/** A concrete type behind an interface. */
class Concrete {
  readonly #name: Uint8Array;
  readonly #schema: Schema;
  readonly #write: (out: Output, value: unknown) => void;
  readonly #counted = new Counted();
  /** Its id on the stream written last. */
  #types: TypeTable | undefined;
  #id = 0;

  constructor(name: string, schema: Schema) {
    this.#name = lengthPrefixed(name);
    this.#schema = schema;
    this.#write = writerOf(schema) as (out: Output, value: unknown) => void;
  }

  /** Name, definitions if they have not been sent, id, count and value. */
  write(out: Output, value: unknown): void {
    out.raw(this.#name);
    if (this.#types !== out.types) {
      this.#id = this.#define(out, out.types as TypeTable);
      this.#types = out.types;
    }
    out.int(this.#id);
    const start = this.#counted.begin(out);
    if (this.#schema.kind !== 'struct') out.byte(0);
    this.#write(out, value);
    this.#counted.end(out, start);
  }

  #define(out: Output, types: TypeTable): number {
    const known = types.idOf(this.#schema);
    if (known !== undefined) return known;
    if (out.inside > 0) throw new Error('interfaces inside interfaces are not declared anywhere');
    // A type met inside a value is defined right there: that ends the message, further ones get their own.
    for (const definition of types.define(this.#schema)) {
      out.raw(types.definitionBytes(definition));
      out.ends.push(out.length);
    }
    return types.idOf(this.#schema) as number;
  }
}

function lengthPrefixed(name: string): Uint8Array {
  const writer = new GobWriter();
  writer.bytes(encodeText(name));
  return writer.take();
}

function unionWriter(schema: UnionSchema): Write {
  const variants = new Map(
    schema.variants.map(({ tag, registeredName, struct }) => [tag, new Concrete(registeredName, struct)]),
  );
  const write = (out: Output, value: { Kind: string } | null) => {
    if (value === null) return out.byte(0);
    const variant = variants.get(value.Kind);
    if (!variant) throw new ImageServerError('INVALID_REQUEST', `unknown Kind: ${value.Kind}`);
    return variant.write(out, value);
  };
  return write as Write;
}

function anyWriter(schema: AnySchema): Write {
  const concrete = new Map([...schema.types].map(([name, type]) => [name, new Concrete(name, type)]));
  const write = (out: Output, value: { type: string; value: unknown } | null) => {
    if (value === null) return out.byte(0);
    const type = concrete.get(value.type);
    if (!type)
      throw new ImageServerError('INVALID_REQUEST', `gob: type not registered for interface: ${value.type}`);
    return type.write(out, value.value);
  };
  return write as Write;
}

const unions = new WeakMap<Schema, boolean>();

/** Whether values of this schema may define further types while they are written. */
export function hasInterface(schema: Schema): boolean {
  let known = unions.get(schema);
  if (known === undefined) {
    unions.set(schema, false);
    const inner = stripPointers(schema);
    known =
      inner.kind === 'union' ||
      inner.kind === 'any' ||
      (inner.kind === 'struct' &&
        [...(inner as StructSchema).fields.values()].some((field) => hasInterface(field.schema))) ||
      ((inner.kind === 'map' || inner.kind === 'slice' || inner.kind === 'array') &&
        hasInterface(inner.elem));
    unions.set(schema, known);
  }
  return known;
}
