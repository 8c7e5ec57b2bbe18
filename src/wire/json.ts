/**
 * The JSON forms of messages. `go`: exactly what Go's encoding/json makes of the original's types (the SRPC JSON coder).
 * `http`: ours; the same but for inodes, which carry their `Kind`, and strictness: unknown fields are refused.
 */
import { ImageServerError } from '../errors.ts';
import { zeroOf } from './gob/zero.ts';
import type { Field, Schema, StructSchema } from './schema.ts';
import { type GoTime, ZERO_TIME } from './time.ts';

type Form = 'go' | 'http';
const NANOS = 1_000_000_000n;

/** Go's encoder escapes what could end a script element, and what JavaScript once could not hold. */
function text(value: string): string {
  return JSON.stringify(
    value.replace(/[\udc80-\udcff]/g, (char, at, all) => (isPaired(all, at) ? char : '\ufffd')),
  ).replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
function isPaired(all: string, at: number): boolean {
  const before = all.charCodeAt(at - 1);
  return before >= 0xd800 && before <= 0xdbff;
}
/** Ours keeps bytes that are not UTF-8: JSON can escape lone surrogates. */
const ourText = (value: string) => JSON.stringify(value);

/** RFC 3339 with as many digits of the second as needed. */
export function formatTime({ unixNanos, offset }: GoTime): string {
  const shifted = unixNanos + BigInt(offset ?? 0) * NANOS;
  let seconds = shifted / NANOS;
  let nanos = shifted % NANOS;
  if (nanos < 0n) {
    seconds -= 1n;
    nanos += NANOS;
  }
  const base = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = nanos === 0n ? '' : `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`;
  if (!offset) return `${base}${fraction}Z`;
  const minutes = Math.abs(Math.trunc(offset / 60));
  const zone = `${String(Math.trunc(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
  return `${base}${fraction}${offset < 0 ? '-' : '+'}${zone}`;
}

/** Reads RFC 3339; undefined if it is not. */
export function parseTime(value: string): GoTime | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(
    value,
  );
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  if (date.getUTCDate() !== Number(day) || date.getUTCHours() !== Number(hour)) return undefined;
  const [hours = 0, minutes = 0] = zone === 'Z' ? [] : zone.slice(1).split(':').map(Number);
  const offset = (zone.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60);
  const seconds = BigInt(date.getTime() / 1000) - BigInt(offset);
  return {
    unixNanos: seconds * NANOS + BigInt(fraction.padEnd(9, '0')),
    offset: zone === 'Z' ? undefined : offset,
  };
}

function isZero(schema: Schema, value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '' || value === 0 || value === 0n)
    return true;
  return (
    (schema.kind === 'slice' && (value as unknown[]).length === 0) ||
    (schema.kind === 'map' && (value as Map<unknown, unknown>).size === 0)
  );
}

/** Pieces of the JSON text; small values come as one piece, inode tables entry by entry. */
function* pieces(form: Form, schema: Schema, value: unknown): Generator<string> {
  if (value === null || value === undefined) {
    yield value === undefined ? write(form, schema, zeroOf(schema)) : 'null';
    return;
  }
  if (schema.kind === 'pointer') yield* pieces(form, schema.elem, value);
  else if (schema.kind === 'struct') {
    yield '{';
    yield* members(form, schema, value as Record<string, unknown>, { first: true });
    yield '}';
  } else if (schema.kind === 'map') {
    const entries = [...(value as Map<unknown, unknown>)].map(([key, item]): [string, unknown] => [
      String(key),
      item,
    ]);
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    yield '{';
    for (let index = 0; index < entries.length; index++) {
      const [key, item] = entries[index] as [string, unknown];
      yield `${index > 0 ? ',' : ''}${write(form, STRING, key)}:${write(form, schema.elem, item)}`;
    }
    yield '}';
  } else yield write(form, schema, value);
}
const STRING: Schema = { kind: 'string' };

function* members(
  form: Form,
  schema: StructSchema,
  value: Record<string, unknown>,
  state: { first: boolean },
): Generator<string> {
  for (const [name, field] of schema.fields) {
    const item = value[name];
    if (field.embedded) {
      yield* members(form, field.schema as StructSchema, (item ?? {}) as Record<string, unknown>, state);
      continue;
    }
    if (field.omitEmpty && isZero(field.schema, item)) continue;
    yield `${state.first ? '' : ','}"${name}":`;
    state.first = false;
    yield* pieces(form, field.schema, item);
  }
}

function write(form: Form, schema: Schema, value: unknown): string {
  switch (schema.kind) {
    case 'bool':
    case 'int':
    case 'uint':
    case 'float':
      return String(value);
    case 'string':
      return form === 'go' ? text(value as string) : ourText(value as string);
    case 'hash':
      return `"${value}"`;
    case 'bytes':
      return (value as Uint8Array).length === 0
        ? 'null'
        : `"${Buffer.from(value as Uint8Array).toString('base64')}"`;
    case 'time':
      return `"${formatTime(value as GoTime)}"`;
    case 'slice':
    case 'array': {
      const list = value as unknown[];
      if (list.length === 0) return form === 'go' ? 'null' : '[]';
      return `[${list.map((item) => (item === null ? 'null' : write(form, schema.elem, item))).join(',')}]`;
    }
    case 'union': {
      if (value === null) return 'null';
      const { Kind, ...rest } = value as { Kind: string };
      const variant = schema.variants.find((one) => one.tag === Kind);
      if (!variant) throw new ImageServerError('INVALID_REQUEST', `unknown Kind: ${Kind}`);
      const body = write(form, variant.struct, rest);
      return form === 'go' ? body : `{"Kind":"${Kind}"${body.length > 2 ? ',' : ''}${body.slice(1)}`;
    }
    default:
      return [...pieces(form, schema, value)].join('');
  }
}

/** Go's form, without a newline. */
export function toGoJson(schema: Schema, value: unknown): string {
  return write('go', schema, value);
}
/** Our form. */
export function toJson(schema: Schema, value: unknown): string {
  return write('http', schema, value);
}
/** Our form in pieces, for values with large inode tables. */
export function jsonChunks(schema: Schema, value: unknown): Iterable<string> {
  return pieces('http', schema, value);
}

/** A JSON number whose digits do not fit a double. */
class Digits {
  constructor(readonly text: string) {}
}

type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown;

/** Parses JSON; integers beyond 53 bits come as `Digits`. */
function parse(source: string): unknown {
  const reviver: Reviver = (_key, value, context) =>
    typeof value === 'number' &&
    !Number.isSafeInteger(value) &&
    context?.source &&
    /^-?\d+$/.test(context.source)
      ? new Digits(context.source)
      : value;
  try {
    return JSON.parse(source, reviver as (key: string, value: unknown) => unknown);
  } catch (cause) {
    throw new ImageServerError('INVALID_REQUEST', `invalid JSON: ${(cause as Error).message}`, { cause });
  }
}

const KIND_NAMES: Record<string, string> = { string: 'string', number: 'number', boolean: 'bool' };
function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return value instanceof Digits ? 'number' : (KIND_NAMES[typeof value] ?? 'object');
}
const GO_TYPES: Record<string, string> = {
  hash: 'hash.Hash',
  time: 'time.Time',
  bytes: '[]uint8',
  float: 'float64',
};
function goType(schema: Schema): string {
  if ('goName' in schema && schema.goName) return schema.goName;
  if (schema.kind === 'slice') return `[]${goType(schema.elem as Schema)}`;
  return GO_TYPES[schema.kind] ?? schema.kind;
}

class Reader {
  constructor(readonly form: Form) {}

  fail(value: unknown, schema: Schema, path: string): ImageServerError {
    return new ImageServerError(
      'INVALID_REQUEST',
      this.form === 'go'
        ? `json: cannot unmarshal ${jsonKind(value)} into Go struct field ${path} of type ${goType(schema)}`
        : `${path || 'request'}: ${jsonKind(value)} where ${goType(schema)} is wanted`,
    );
  }

  read(schema: Schema, value: unknown, path: string): unknown {
    if (schema.kind === 'pointer') return value === null ? null : this.read(schema.elem, value, path);
    if (value === null) return zeroOf(schema);
    switch (schema.kind) {
      case 'bool':
        if (typeof value === 'boolean') return value;
        break;
      case 'string':
        if (typeof value === 'string') return value;
        break;
      case 'float':
        if (typeof value === 'number') return value;
        break;
      case 'int':
      case 'uint':
        return this.#integer(schema, value, path);
      case 'hash':
        if (typeof value === 'string' && /^[0-9a-f]{128}$/.test(value)) return value;
        if (
          Array.isArray(value) &&
          value.length === 64 &&
          value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256)
        )
          return Buffer.from(value as number[]).toString('hex');
        break;
      case 'bytes':
        if (typeof value === 'string') return new Uint8Array(Buffer.from(value, 'base64'));
        break;
      case 'time': {
        const time = typeof value === 'string' ? parseTime(value) : undefined;
        if (time) return time.unixNanos === ZERO_TIME.unixNanos ? ZERO_TIME : time;
        break;
      }
      case 'slice':
      case 'array':
        if (Array.isArray(value))
          return value.map((item, index) => this.read(schema.elem, item, `${path}[${index}]`));
        break;
      case 'map':
        if (typeof value === 'object' && !Array.isArray(value)) return this.#map(schema, value, path);
        break;
      case 'struct':
        if (typeof value === 'object' && !Array.isArray(value))
          return this.#struct(schema, value as Record<string, unknown>, path);
        break;
      case 'union':
        return this.#union(schema, value, path);
    }
    throw this.fail(value, schema, path);
  }

  #integer(schema: Extract<Schema, { kind: 'int' | 'uint' }>, value: unknown, path: string): number | bigint {
    let digits: bigint | undefined;
    if (typeof value === 'number' && Number.isInteger(value)) digits = BigInt(value);
    else if (value instanceof Digits) digits = BigInt(value.text);
    else if (this.form === 'http' && typeof value === 'string' && /^-?\d{1,20}$/.test(value))
      digits = BigInt(value);
    if (digits === undefined) throw this.fail(value, schema, path);
    const fits =
      schema.kind === 'uint' ? BigInt.asUintN(schema.bits, digits) : BigInt.asIntN(schema.bits, digits);
    if (fits !== digits) throw this.fail(value, schema, path);
    return schema.bits === 64 ? digits : Number(digits);
  }

  #map(schema: Extract<Schema, { kind: 'map' }>, value: object, path: string): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>();
    for (const [key, item] of Object.entries(value)) {
      const where = `${path}.${key}`;
      const number = schema.key.kind === 'uint' || schema.key.kind === 'int';
      if (number && !/^-?\d{1,20}$/.test(key)) throw this.fail(key, schema.key, where);
      map.set(
        number ? this.read(schema.key, new Digits(key), where) : key,
        this.read(schema.elem, item, where),
      );
    }
    return map;
  }

  #union(schema: Extract<Schema, { kind: 'union' }>, value: unknown, path: string): unknown {
    if (this.form === 'go')
      throw new ImageServerError(
        'INVALID_REQUEST',
        `json: cannot unmarshal object into Go struct field ${path} of type filesystem.GenericInode`,
      );
    const { Kind, ...rest } = value as { Kind?: unknown };
    const variant = schema.variants.find((one) => one.tag === Kind);
    if (!variant)
      throw new ImageServerError(
        'INVALID_REQUEST',
        `${path}.Kind: must be one of ${schema.variants.map((one) => one.tag).join(', ')}`,
      );
    return { Kind, ...(this.#struct(variant.struct, rest, path) as object) };
  }

  #struct(schema: StructSchema, value: Record<string, unknown>, path: string): Record<string, unknown> {
    const result = zeroOf(schema) as Record<string, unknown>;
    const places = fieldPlaces(schema);
    const short = schema.goName.split('.').pop();
    for (const [key, item] of Object.entries(value)) {
      const place = places.get(key) ?? (this.form === 'go' ? places.get(key.toLowerCase()) : undefined);
      if (!place) {
        if (this.form === 'go') continue;
        throw new ImageServerError('INVALID_REQUEST', `unknown field: ${path ? `${path}.` : ''}${key}`);
      }
      const where = this.form === 'go' ? `${short}.${place.name}` : `${path ? `${path}.` : ''}${place.name}`;
      const target = place.within ? (result[place.within] as Record<string, unknown>) : result;
      target[place.name] = this.read(place.field.schema, item, where);
    }
    return result;
  }
}

interface Place {
  readonly name: string;
  readonly field: Field;
  /** Name of the embedded struct that holds the field. */
  readonly within: string | undefined;
}
const placesOf = new WeakMap<StructSchema, Map<string, Place>>();

/** JSON names (and their lower-case forms) to fields; embedded structs are flattened. */
function fieldPlaces(schema: StructSchema): Map<string, Place> {
  let places = placesOf.get(schema);
  if (!places) {
    places = new Map();
    for (const [name, field] of schema.fields) {
      const inner: Iterable<[string, Field]> = field.embedded
        ? (field.schema as StructSchema).fields
        : [[name, field]];
      for (const [innerName, innerField] of inner) {
        const place = { name: innerName, field: innerField, within: field.embedded ? name : undefined };
        places.set(innerName, place);
        if (!places.has(innerName.toLowerCase())) places.set(innerName.toLowerCase(), place);
      }
    }
    placesOf.set(schema, places);
  }
  return places;
}

/** Reads Go's form: field names match in any case, unknown ones are ignored. */
export function fromGoJson<S extends Schema>(schema: S, source: string): NonNullable<S['$type']> {
  return new Reader('go').read(schema, parse(source), '') as NonNullable<S['$type']>;
}
/** Reads our form from its text; unknown fields are refused by name. */
export function fromJson<S extends Schema>(schema: S, source: string): NonNullable<S['$type']> {
  return new Reader('http').read(schema, parse(source), '') as NonNullable<S['$type']>;
}
/** As `fromJson` for what has been parsed already (64-bit numbers beyond 53 bits must then be strings). */
export function fromParsedJson<S extends Schema>(schema: S, value: unknown): NonNullable<S['$type']> {
  return new Reader('http').read(schema, value, '') as NonNullable<S['$type']>;
}
