/**
 * Values as JSON text. `go`: exactly what Go's encoding/json makes of the original's types. `http`: the same but for
 * inodes, which carry their `Kind`, empty lists, which are `[]`, and texts that are not UTF-8, which keep their bytes.
 */
import { ImageServerError } from '../errors.ts';
import { decimalOrder } from './decimal-order.ts';
import { zeroOf } from './gob/zero.ts';
import { formatTime } from './json-time.ts';
import type { MapSchema, Schema, StructSchema, UnionSchema } from './schema.ts';
import { encodeText } from './text.ts';
import type { GoTime } from './time.ts';

export type Form = 'go' | 'http';

const PLAIN = /^[ !#-%'-;=?-[\]-~]*$/;
const ESCAPES: Record<string, string> = { '\\b': '\\u0008', '\\f': '\\u000c' };
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A text in Go's form: HTML is escaped, bytes that are not UTF-8 are replaced. */
function goText(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  // JSON.stringify escapes lone surrogates; a backslash of the text itself is doubled and so never taken for an escape.
  const parts = value.isWellFormed() ? [value] : value.split(LONE);
  const quoted = parts.map((part) =>
    JSON.stringify(part)
      .slice(1, -1)
      .replace(/\\\\|[<>&\u2028\u2029]|\\[bf]/g, (found) =>
        found === '\\\\'
          ? found
          : (ESCAPES[found] ?? `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`),
      ),
  );
  return `"${quoted.join('\\ufffd')}"`;
}

const ourText = (value: string) => (PLAIN.test(value) ? `"${value}"` : JSON.stringify(value));

/** Go leaves out false, zero, nil and empty ones; structs, times and hashes never. */
function isEmpty(schema: Schema, value: unknown): boolean {
  switch (schema.kind) {
    case 'slice':
    case 'bytes':
      return (value as { length: number }).length === 0;
    case 'map':
      return value === null || (value as Map<unknown, unknown>).size === 0;
    default:
      return value === null || value === false || value === '' || value === 0 || value === 0n;
  }
}

/** Go sorts keys by their bytes; for ASCII that is how JavaScript sorts. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(encodeText(a), encodeText(b));
}
/** Keys in their order, as text; neither they nor the entries need be in memory. */
function sortedKeys(schema: MapSchema, map: ReadonlyMap<unknown, unknown>): Iterable<string> {
  switch ((schema.key as Schema).kind) {
    case 'string':
      return Array.from(map.keys(), String).sort(byBytes);
    case 'int':
    case 'uint':
      return decimalOrder({ [Symbol.iterator]: () => map.keys() as Iterator<number | bigint> }, map.size);
    default:
      return Array.from(map.keys(), String).sort();
  }
}
/** The key that a text stands for. */
function keyOf(schema: Schema, text: string): unknown {
  if (schema.kind === 'string') return text;
  return (schema.kind === 'int' || schema.kind === 'uint') && schema.bits === 64
    ? BigInt(text)
    : Number(text);
}

interface Member {
  readonly name: string;
  /** Name of the embedded struct that holds the field: in JSON its fields stand in the outer one. */
  readonly within: string | undefined;
  readonly schema: Schema;
  readonly omitEmpty: boolean;
  /** The name, quoted, and a colon. */
  readonly label: string;
}
const membersKept = new WeakMap<StructSchema, readonly Member[]>();

function membersOf(schema: StructSchema): readonly Member[] {
  let members = membersKept.get(schema);
  if (!members) {
    members = [...schema.fields].flatMap(([name, field]) => {
      const inner = field.embedded ? [...(field.schema as StructSchema).fields] : [[name, field] as const];
      return inner.map(([innerName, { schema: innerSchema, omitEmpty }]) => ({
        name: innerName,
        within: field.embedded ? name : undefined,
        schema: innerSchema,
        omitEmpty,
        label: `"${innerName}":`,
      }));
    });
    membersKept.set(schema, members);
  }
  return members;
}

/** Text gathered so far; `full` pieces are handed on. */
class Sink {
  text = '';
  constructor(readonly form: Form) {}

  value(schema: Schema, value: unknown): void {
    const given = value === undefined ? zeroOf(schema) : value;
    if (given === null) {
      this.text += 'null';
      return;
    }
    switch (schema.kind) {
      case 'bool':
      case 'int':
      case 'uint':
      case 'float':
        this.text += String(given);
        return;
      case 'string':
        this.text += this.form === 'go' ? goText(given as string) : ourText(given as string);
        return;
      case 'hash':
        this.text += `"${given}"`;
        return;
      case 'bytes':
        this.text += (given as Uint8Array).length === 0 ? 'null' : `"${(given as Uint8Array).toBase64()}"`;
        return;
      case 'time':
        this.text += `"${formatTime(given as GoTime)}"`;
        return;
      case 'pointer':
        this.value(schema.elem, given);
        return;
      case 'slice':
      case 'array':
        this.#list(schema, given as unknown[]);
        return;
      case 'map':
        for (const _ of this.mapSteps(schema, given as Map<unknown, unknown>));
        return;
      case 'struct':
        this.#struct(schema, given as Record<string, unknown>, undefined);
        return;
      case 'union':
        this.#union(schema, given as { Kind: string });
        return;
      case 'any':
      case 'complex':
        throw new ImageServerError('INVALID_REQUEST', `no JSON for ${schema.kind}`);
    }
  }

  #list(schema: Extract<Schema, { elem: unknown }>, list: unknown[]): void {
    if (list.length === 0 && schema.kind === 'slice') {
      this.text += this.form === 'go' ? 'null' : '[]';
      return;
    }
    this.text += '[';
    for (let index = 0; index < list.length; index++) {
      if (index > 0) this.text += ',';
      this.value(schema.elem as Schema, list[index]);
    }
    this.text += ']';
  }

  #union(schema: UnionSchema, value: { Kind: string }): void {
    const variant = schema.variants.find((one) => one.tag === value.Kind);
    if (!variant) throw new ImageServerError('INVALID_REQUEST', `unknown Kind: ${value.Kind}`);
    const tag = this.form === 'http' ? value.Kind : undefined;
    this.#struct(variant.struct, value as unknown as Record<string, unknown>, tag);
  }

  #struct(schema: StructSchema, value: Record<string, unknown>, tag: string | undefined): void {
    let before = tag === undefined ? '{' : `{"Kind":"${tag}",`;
    for (const { name, within, schema: inner, omitEmpty, label } of membersOf(schema)) {
      const item =
        within === undefined ? value[name] : (value[within] as Record<string, unknown> | undefined)?.[name];
      if (omitEmpty && (item === undefined || isEmpty(inner, item))) continue;
      this.text += before;
      this.text += label;
      before = ',';
      this.value(inner, item);
    }
    this.text += before === ',' ? '}' : before.endsWith(',') ? `${before.slice(0, -1)}}` : '{}';
  }

  /** Stops after each entry. */
  *mapSteps(schema: MapSchema, map: ReadonlyMap<unknown, unknown>): Generator<undefined> {
    this.text += '{';
    let first = true;
    for (const key of sortedKeys(schema, map)) {
      this.text += `${first ? '' : ','}${this.form === 'go' ? goText(key) : ourText(key)}:`;
      first = false;
      this.value(schema.elem, map.get(keyOf(schema.key as Schema, key)));
      yield;
    }
    this.text += '}';
  }

  /** Stops after each field, and wherever the fields stop. */
  *structSteps(schema: StructSchema, value: Record<string, unknown>): Generator<undefined> {
    let before = '{';
    for (const { name, within, schema: inner, omitEmpty, label } of membersOf(schema)) {
      const item =
        within === undefined ? value[name] : (value[within] as Record<string, unknown> | undefined)?.[name];
      if (omitEmpty && (item === undefined || isEmpty(inner, item))) continue;
      this.text += before + label;
      before = ',';
      yield* this.steps(inner, item);
      yield;
    }
    this.text += before === '{' ? '{}' : '}';
  }

  /** As `value`, with stops inside of what may be long. */
  *steps(schema: Schema, value: unknown): Generator<undefined> {
    let inner = schema;
    while (inner.kind === 'pointer') inner = inner.elem as Schema;
    if (value != null && inner.kind === 'struct')
      yield* this.structSteps(inner, value as Record<string, unknown>);
    else if (value != null && inner.kind === 'map')
      yield* this.mapSteps(inner, value as Map<unknown, unknown>);
    else this.value(schema, value);
  }
}

/** The whole text. */
export function writeJson(form: Form, schema: Schema, value: unknown): string {
  const sink = new Sink(form);
  sink.value(schema, value);
  return sink.text;
}

/** The text in pieces of about `size` characters: values with large maps are written as they are asked for. */
export function* jsonPieces(form: Form, schema: Schema, value: unknown, size: number): Generator<string> {
  const sink = new Sink(form);
  for (const _ of sink.steps(schema, value)) {
    if (sink.text.length < size) continue;
    yield sink.text;
    sink.text = '';
  }
  yield sink.text;
}
