/**
 * Values from JSON. `go`: as Go's encoding/json reads the original's types: names match in any case, unknown fields are
 * ignored. `http`: what does not fit is refused by name.
 */
import { ImageServerError } from '../errors.ts';
import { goNotation } from './gob/type-definitions.ts';
import { zeroOf } from './gob/zero.ts';
import { goSyntaxError } from './json-syntax.ts';
import { parseTime } from './json-time.ts';
import type { Form } from './json-write.ts';
import type { Field, Schema, StructSchema } from './schema.ts';
import { isZeroTime, ZERO_TIME } from './time.ts';

/** A JSON number whose digits do not fit a double. */
class Digits {
  constructor(readonly text: string) {}
}

type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown;
const keepDigits: Reviver = (_key, value, context) =>
  typeof value === 'number' &&
  !Number.isSafeInteger(value) &&
  context?.source &&
  /^-?\d+$/.test(context.source)
    ? new Digits(context.source)
    : value;

/** Parses JSON; integers beyond 53 bits come as `Digits`. */
export function parseJson(form: Form, source: string): unknown {
  try {
    // Looking at every value is slow: only needed where a number may be too long.
    return /[\s:,[-]\d{16}/.test(source)
      ? JSON.parse(source, keepDigits as (key: string, value: unknown) => unknown)
      : JSON.parse(source);
  } catch (cause) {
    const text = goSyntaxError(source);
    throw new ImageServerError('INVALID_REQUEST', form === 'go' ? text : `invalid JSON: ${text}`, { cause });
  }
}

function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value instanceof Digits) return 'number';
  return { string: 'string', number: 'number', boolean: 'bool' }[typeof value as string] ?? 'object';
}

/** What is wanted, in words for people who know no Go. */
function wantedText(schema: Schema): string {
  switch (schema.kind) {
    case 'hash':
      return 'a hash of 128 lower-case hexadecimal digits (SHA-512)';
    case 'time':
      return 'a time such as 2026-01-02T03:04:05Z (RFC 3339)';
    case 'bytes':
      return 'base64 text';
    case 'bool':
      return 'true or false';
    case 'string':
      return 'a string';
    case 'float':
      return 'a number';
    case 'uint':
      return `a whole number from 0 to ${2n ** BigInt(schema.bits) - 1n}`;
    case 'int': {
      const limit = 2n ** BigInt(schema.bits - 1);
      return `a whole number from ${-limit} to ${limit - 1n}`;
    }
    case 'slice':
      return 'a list';
    case 'array':
      return `a list of ${schema.length}`;
    default:
      return 'an object';
  }
}

/** What came instead: short texts as they are. */
function foundText(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 150)) : jsonKind(value);
}

const bare = (schema: StructSchema) => schema.goName.slice(schema.goName.lastIndexOf('.') + 1);
const HEX_HASH = /^[0-9a-f]{128}$/;
const isByte = (value: unknown) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;

/** Where a value stands: names from the top, and the struct it is a field of. */
interface Place {
  readonly path: string;
  readonly owner: string;
}
const TOP: Place = { path: '', owner: '' };

class Reader {
  constructor(readonly form: Form) {}

  #fail(value: unknown, schema: Schema, place: Place, found?: string): ImageServerError {
    if (this.form === 'http')
      return new ImageServerError(
        'INVALID_REQUEST',
        `${place.path || 'request'}: ${found ?? foundText(value)} where ${wantedText(schema)} is wanted`,
      );
    const type = goNotation(schema);
    const detail = found ?? jsonKind(value);
    const target =
      place.path === ''
        ? `Go value of type ${type}`
        : `Go struct field ${place.owner}.${place.path} of type ${type}`;
    return new ImageServerError('INVALID_REQUEST', `json: cannot unmarshal ${detail} into ${target}`);
  }

  read(schema: Schema, value: unknown, place: Place): unknown {
    if (schema.kind === 'pointer') return value === null ? null : this.read(schema.elem, value, place);
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
        if (value instanceof Digits) return Number(value.text);
        break;
      case 'int':
      case 'uint':
        return this.#integer(schema, value, place);
      case 'hash':
        if (typeof value === 'string' && HEX_HASH.test(value)) return value;
        if (Array.isArray(value) && value.length === 64 && value.every(isByte))
          return Uint8Array.from(value as number[]).toHex();
        break;
      case 'bytes':
        return this.#bytes(schema, value, place);
      case 'time': {
        const time = typeof value === 'string' ? parseTime(value) : undefined;
        if (time) return isZeroTime(time) ? ZERO_TIME : time;
        break;
      }
      case 'slice':
      case 'array':
        if (Array.isArray(value)) return this.#list(schema, value, place);
        break;
      case 'map':
        if (isObject(value)) return this.#map(schema, value, place);
        break;
      case 'struct':
        if (isObject(value)) return this.#struct(schema, value, place);
        break;
      case 'union':
        return this.#union(schema, value, place);
      case 'any':
      case 'complex':
        break;
    }
    throw this.#fail(value, schema, place);
  }

  #inner(place: Place, key: string | number): Place {
    // Go does not name elements.
    if (this.form === 'go') return place;
    return {
      path: typeof key === 'number' ? `${place.path}[${key}]` : `${place.path}.${key}`,
      owner: place.owner,
    };
  }

  #list(schema: Extract<Schema, { kind: 'slice' | 'array' }>, value: unknown[], place: Place): unknown[] {
    if (schema.kind === 'array' && value.length !== schema.length) throw this.#fail(value, schema, place);
    return value.map((item, index) => this.read(schema.elem, item, this.#inner(place, index)));
  }

  #bytes(schema: Schema, value: unknown, place: Place): Uint8Array {
    if (typeof value !== 'string') throw this.#fail(value, schema, place);
    try {
      return Uint8Array.fromBase64(value);
    } catch {
      throw this.#fail(value, schema, place);
    }
  }

  #integer(schema: Extract<Schema, { kind: 'int' | 'uint' }>, value: unknown, place: Place): number | bigint {
    let digits: bigint | undefined;
    if (typeof value === 'number' && Number.isInteger(value)) digits = BigInt(value);
    else if (value instanceof Digits) digits = value.text.length <= 21 ? BigInt(value.text) : undefined;
    else if (this.form === 'http' && typeof value === 'string' && /^-?\d{1,20}$/.test(value))
      digits = BigInt(value);
    else if (typeof value !== 'number') throw this.#fail(value, schema, place);
    const wrap = schema.kind === 'uint' ? BigInt.asUintN : BigInt.asIntN;
    if (digits === undefined || wrap(schema.bits, digits) !== digits)
      throw this.#fail(
        value,
        schema,
        place,
        `number ${value instanceof Digits ? value.text : String(value)}`,
      );
    return schema.bits === 64 ? digits : Number(digits);
  }

  #map(schema: Extract<Schema, { kind: 'map' }>, value: object, place: Place): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>();
    const { kind } = schema.key as Schema;
    const numbers = kind === 'uint' || kind === 'int';
    for (const [key, item] of Object.entries(value)) {
      const inside = this.#inner(place, key);
      if (numbers && !/^-?\d{1,20}$/.test(key)) throw this.#fail(key, schema.key, inside, `number ${key}`);
      map.set(
        numbers ? this.read(schema.key, new Digits(key), inside) : key,
        this.read(schema.elem, item, inside),
      );
    }
    return map;
  }

  #union(schema: Extract<Schema, { kind: 'union' }>, value: unknown, place: Place): unknown {
    if (this.form === 'go' || !isObject(value)) throw this.#fail(value, schema, place);
    const { Kind, ...rest } = value;
    const variant = schema.variants.find((one) => one.tag === Kind);
    if (!variant) {
      const kinds = schema.variants.map((one) => one.tag).join(', ');
      throw new ImageServerError('INVALID_REQUEST', `${place.path}.Kind: must be one of ${kinds}`);
    }
    return { Kind, ...this.#struct(variant.struct, rest, place) };
  }

  #struct(schema: StructSchema, value: Record<string, unknown>, place: Place): Record<string, unknown> {
    const result = zeroOf(schema) as Record<string, unknown>;
    const members = membersOf(schema);
    const before = place.path ? `${place.path}.` : '';
    for (const [key, item] of Object.entries(value)) {
      const member =
        members.exact.get(key) ?? (this.form === 'go' ? members.folded.get(key.toLowerCase()) : undefined);
      if (!member) {
        if (this.form === 'go') continue;
        throw new ImageServerError('INVALID_REQUEST', `unknown field: ${before}${key}`);
      }
      const target =
        member.within === undefined ? result : (result[member.within] as Record<string, unknown>);
      target[member.name] = this.read(member.field.schema, item, {
        path: `${before}${member.name}`,
        owner: bare(schema),
      });
    }
    return result;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Digits);
}

interface Member {
  readonly name: string;
  readonly field: Field;
  /** Name of the embedded struct that holds the field. */
  readonly within: string | undefined;
}
interface Members {
  readonly exact: Map<string, Member>;
  readonly folded: Map<string, Member>;
}
const membersKept = new WeakMap<StructSchema, Members>();

/** JSON names to fields; embedded structs are flattened. */
function membersOf(schema: StructSchema): Members {
  let members = membersKept.get(schema);
  if (!members) {
    members = { exact: new Map(), folded: new Map() };
    for (const [name, field] of schema.fields) {
      const inner: Iterable<[string, Field]> = field.embedded
        ? (field.schema as StructSchema).fields
        : [[name, field]];
      for (const [innerName, innerField] of inner) {
        const member = { name: innerName, field: innerField, within: field.embedded ? name : undefined };
        members.exact.set(innerName, member);
        if (!members.folded.has(innerName.toLowerCase())) members.folded.set(innerName.toLowerCase(), member);
      }
    }
    membersKept.set(schema, members);
  }
  return members;
}

/** `value` is what `parseJson` gave. */
export function readJson(form: Form, schema: Schema, value: unknown): unknown {
  return new Reader(form).read(schema, value, TOP);
}
