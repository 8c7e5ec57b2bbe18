/**
 * The declaration language of wire types. Every message is declared once with these building blocks; the
 * TypeScript type, the gob codec (gob/), the JSON form and the JSON Schema are all derived from it.
 *
 * JavaScript forms: 64-bit integers are bigint, narrower ones number; Hash is 128 lower-case hex digits; []byte is
 * Uint8Array; a slice is an array (nil and empty are the same); a map is a Map or null (Go tells nil from empty);
 * a pointer is the value or null; time.Time is GoTime; an inode is an object with its `Kind` as tag.
 */
import type { GoTime } from './time.ts';

interface Typed<T> {
  /** Never set: carries the JavaScript type for `ValueOf`. */
  readonly $type?: T;
}
export interface BoolSchema extends Typed<boolean> {
  readonly kind: 'bool';
}
export interface NumberSchema extends Typed<number> {
  readonly kind: 'int' | 'uint';
  readonly bits: 8 | 16 | 32;
  readonly goName: string;
}
export interface BigSchema extends Typed<bigint> {
  readonly kind: 'int' | 'uint';
  readonly bits: 64;
  readonly goName: string;
}
export interface FloatSchema extends Typed<number> {
  readonly kind: 'float';
  /** Go's name; `float64` unless given. */
  readonly goName?: string;
}
/** Real and imaginary part. */
export interface ComplexSchema extends Typed<readonly [number, number]> {
  readonly kind: 'complex';
}
export interface StringSchema extends Typed<string> {
  readonly kind: 'string';
  /** Go's name of a named string type. */
  readonly goName?: string;
}
export interface BytesSchema extends Typed<Uint8Array> {
  readonly kind: 'bytes';
}
/** Go's [64]byte named hash.Hash; on the wire an array of 64 uints. */
export interface HashSchema extends Typed<string> {
  readonly kind: 'hash';
}
export interface TimeSchema extends Typed<GoTime> {
  readonly kind: 'time';
}
export interface ArraySchema<E extends Schema = Schema> extends Typed<ValueOf<E>[]> {
  readonly kind: 'array';
  readonly elem: E;
  readonly length: number;
}
export interface SliceSchema<E extends Schema = Schema> extends Typed<ValueOf<E>[]> {
  readonly kind: 'slice';
  readonly elem: E;
}
export interface MapSchema<K extends Schema = Schema, V extends Schema = Schema>
  extends Typed<Map<ValueOf<K>, ValueOf<V>> | null> {
  readonly kind: 'map';
  readonly key: K;
  readonly elem: V;
  /** Go's name of a named map type, e.g. `filesystem.InodeTable`; empty if unnamed. */
  readonly goName: string;
}
export interface PointerSchema<E extends Schema = Schema> extends Typed<ValueOf<E> | null> {
  readonly kind: 'pointer';
  readonly elem: E;
}
/** A Go interface holding one of several registered struct types. The value carries the variant's key as `Kind`. */
export interface UnionSchema<T = unknown> extends Typed<T | null> {
  readonly kind: 'union';
  /** Go's name of the interface type. */
  readonly goName?: string;
  readonly variants: readonly UnionVariant[];
}
/** A Go interface holding values of basic types, which gob knows by their Go names. */
export interface AnySchema extends Typed<{ readonly type: string; readonly value: unknown } | null> {
  readonly kind: 'any';
  readonly types: ReadonlyMap<string, Schema>;
}
export interface UnionVariant {
  /** Value of the tag property `Kind`. */
  readonly tag: string;
  /** Name under which Go registers the concrete type, e.g. `*filesystem.RegularInode`. */
  readonly registeredName: string;
  readonly struct: StructSchema;
}
export interface Field<S extends Schema = Schema> {
  readonly schema: S;
  /** Embedded in Go: a nested struct for gob, flattened into the parent in JSON. */
  readonly embedded: boolean;
  /** Left out of JSON when zero. */
  readonly omitEmpty: boolean;
}
export interface StructSchema<T = unknown> extends Typed<T> {
  readonly kind: 'struct';
  /** Go's qualified name, e.g. `image.Image`; the part after the dot goes on the wire. */
  readonly goName: string;
  /** In declaration order, which is the order of the field numbers we send. */
  readonly fields: ReadonlyMap<string, Field>;
  /** For Swagger: one sentence each. */
  readonly docs: Readonly<Record<string, string>>;
}
// biome-ignore-start lint/suspicious/noExplicitAny: the only way to close a recursive generic
export type Schema =
  | BoolSchema
  | NumberSchema
  | BigSchema
  | FloatSchema
  | ComplexSchema
  | AnySchema
  | StringSchema
  | BytesSchema
  | HashSchema
  | TimeSchema
  | ArraySchema<any>
  | SliceSchema<any>
  | MapSchema<any, any>
  | PointerSchema<any>
  | UnionSchema<any>
  | StructSchema<any>;

// biome-ignore-end lint/suspicious/noExplicitAny: as above

/** The JavaScript type of a schema's values. */
export type ValueOf<S> = S extends Typed<infer T> ? T : never;

export const bool: BoolSchema = { kind: 'bool' };
export const uint8: NumberSchema = { kind: 'uint', bits: 8, goName: 'uint8' };
const uint16: NumberSchema = { kind: 'uint', bits: 16, goName: 'uint16' };
export const uint32: NumberSchema = { kind: 'uint', bits: 32, goName: 'uint32' };
export const uint64: BigSchema = { kind: 'uint', bits: 64, goName: 'uint64' };
const int8: NumberSchema = { kind: 'int', bits: 8, goName: 'int8' };
export const int16: NumberSchema = { kind: 'int', bits: 16, goName: 'int16' };
export const int32: NumberSchema = { kind: 'int', bits: 32, goName: 'int32' };
export const int64: BigSchema = { kind: 'int', bits: 64, goName: 'int64' };
/** time.Duration: nanoseconds. */
export const duration: BigSchema = { kind: 'int', bits: 64, goName: 'time.Duration' };
export const float64: FloatSchema = { kind: 'float' };
export const complex128: ComplexSchema = { kind: 'complex' };
export const string: StringSchema = { kind: 'string' };
export const bytes: BytesSchema = { kind: 'bytes' };
export const hash: HashSchema = { kind: 'hash' };
export const time: TimeSchema = { kind: 'time' };

export function array<E extends Schema>(elem: E, length: number): ArraySchema<E> {
  return { kind: 'array', elem, length };
}
export function slice<E extends Schema>(elem: E): SliceSchema<E> {
  return { kind: 'slice', elem };
}
export function map<K extends Schema, V extends Schema>(key: K, elem: V, goName = ''): MapSchema<K, V> {
  return { kind: 'map', key, elem, goName };
}
export function pointer<E extends Schema>(elem: E): PointerSchema<E> {
  return { kind: 'pointer', elem };
}

/** Any basic type behind `interface {}`. */
export const anyBasic: AnySchema = {
  kind: 'any',
  types: new Map<string, Schema>([
    ['bool', bool],
    ['string', string],
    ['[]uint8', bytes],
    ['float64', float64],
    ['complex128', complex128],
    ...[uint8, uint16, uint32, uint64, int8, int16, int32, int64].map((one): [string, Schema] => [
      one.goName,
      one,
    ]),
    ['int', { kind: 'int', bits: 64, goName: 'int' }],
    ['uint', { kind: 'uint', bits: 64, goName: 'uint' }],
  ]),
};

type FieldSpec = Schema | Field;
type SchemaOfSpec<F> = F extends Field<infer S> ? S : F;
type StructValue<F extends Record<string, FieldSpec>> = {
  -readonly [K in keyof F]: ValueOf<SchemaOfSpec<F[K]>>;
};

/** An embedded struct field (flattened in JSON). */
export function embedded<S extends Schema>(schema: S): Field<S> {
  return { schema, embedded: true, omitEmpty: false };
}
/** A field left out of JSON when it has its zero value. */
export function omitEmpty<S extends Schema>(schema: S): Field<S> {
  return { schema, embedded: false, omitEmpty: true };
}

/** Declares a struct; `fields` in Go's declaration order. */
export function struct<F extends Record<string, FieldSpec>>(
  goName: string,
  fields: F,
  docs: Partial<Record<keyof F & string, string>> = {},
): StructSchema<StructValue<F>> {
  const entries = Object.entries(fields).map(([name, spec]): [string, Field] => [
    name,
    'schema' in spec ? spec : { schema: spec, embedded: false, omitEmpty: false },
  ]);
  return { kind: 'struct', goName, fields: new Map(entries), docs: docs as Record<string, string> };
}

type Tagged<V extends Record<string, readonly [string, StructSchema]>> = {
  [K in keyof V & string]: { Kind: K } & ValueOf<V[K][1]>;
}[keyof V & string];

/** Declares an interface type by its registered concrete types: `{ tag: [registered name, struct] }`. */
export function union<V extends Record<string, readonly [string, StructSchema]>>(
  variants: V,
  goName = 'interface {}',
): UnionSchema<Tagged<V>> {
  return {
    kind: 'union',
    goName,
    variants: Object.entries(variants).map(([tag, [registeredName, schema]]) => ({
      tag,
      registeredName,
      struct: schema,
    })),
  };
}
