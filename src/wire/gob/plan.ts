/**
 * Decoding plans: how values of a peer's type become values of our schema. Matching is by field name. What cannot hold
 * an interface is decoded by straight functions inside one message; what can is decoded by generators, which pause when
 * the next message is needed and now and then to let others run.
 */
import type { Schema, StructSchema, UnionSchema } from '../schema.ts';
import { decodeText } from '../text.ts';
import { type GoTime, SECONDS_TO_EPOCH, ZERO_TIME } from '../time.ts';
import { badData, type Cursor } from './cursor.ts';
import { hasUnion } from './encoder.ts';
import type { WireType, WireTypes } from './wire-types.ts';

/** 'message' = the cursor needs the next message; 'breath' = others may run. */
export type Pause = 'message' | 'breath';
export type Steps<T> = Generator<Pause, T, void>;

/** State of one decode. */
export interface Context {
  readonly cursor: Cursor;
  readonly types: WireTypes;
  readonly observer: Observer | undefined;
  readonly plans: Map<string, Plan>;
  /** Nesting of interfaces. */
  depth: number;
}

/** Sees an image being decoded without keeping its inodes. */
export interface Observer {
  /** An entry of the inode table; it is not stored in the map. */
  inode(key: bigint, inode: unknown): void;
  /** Begin and end of a field of a struct that may hold interfaces, at the cursor's position. */
  field?(struct: StructSchema, name: string, number: number, phase: 'token' | 'start' | 'end'): void;
  structEnd?(struct: StructSchema): void;
}

export type Plan =
  | { readonly straight: (context: Context) => unknown }
  | { readonly steps: (context: Context) => Steps<unknown> };

const MAX_DEPTH = 100;
/** Entries of an inode table between two breaths. */
const BREATH = 512;
const MAX_INTERFACE_NAME = 1024;

const hashBytes = Buffer.alloc(64);
const ZERO_HASH = '0'.repeat(128);

function readHash(cursor: Cursor): string {
  const { bytes, end } = cursor;
  let { at } = cursor;
  if (bytes[at++] !== 64) throw badData('length mismatch in decodeArray');
  for (let index = 0; index < 64; index++) {
    let byte = bytes[at++] as number;
    if (byte >= 0x80) {
      if (byte === 0xff) byte = bytes[at++] as number;
      else {
        cursor.at = at - 1;
        byte = cursor.uint();
        at = cursor.at;
        if (byte > 255) throw badData('value for "uint8" out of range');
      }
    }
    hashBytes[index] = byte;
  }
  if (at > end) throw badData('unexpected EOF');
  cursor.at = at;
  return hashBytes.toString('hex');
}

function readTime(cursor: Cursor): GoTime {
  const bytes = cursor.take(cursor.uint());
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes[0];
  if ((version !== 1 && version !== 2) || bytes.length !== (version === 1 ? 15 : 16))
    throw badData('Time.UnmarshalBinary: invalid data');
  const seconds = view.getBigInt64(1) - SECONDS_TO_EPOCH;
  const minutes = view.getInt16(13);
  const odd = version === 2 ? view.getUint8(15) : 0;
  return {
    unixNanos: seconds * 1_000_000_000n + BigInt(view.getInt32(9)),
    offset: minutes === -1 && version === 1 ? undefined : minutes * 60 + odd,
  };
}

/** The value of a schema when the peer sent nothing for it. */
export function zeroOf(schema: Schema): unknown {
  switch (schema.kind) {
    case 'bool':
      return false;
    case 'int':
    case 'uint':
      return schema.bits === 64 ? 0n : 0;
    case 'float':
      return 0;
    case 'string':
      return '';
    case 'bytes':
      return new Uint8Array(0);
    case 'hash':
      return ZERO_HASH;
    case 'time':
      return ZERO_TIME;
    case 'slice':
      return [];
    case 'array':
      return Array.from({ length: schema.length }, () => zeroOf(schema.elem));
    case 'struct':
      return zeroStruct(schema);
    case 'map':
    case 'pointer':
    case 'union':
      return null;
  }
}

const makers = new WeakMap<StructSchema, () => Record<string, unknown>>();

/** A new all-zero struct. Made by a literal, so that all values of a schema share one shape. */
function zeroStruct(schema: StructSchema): Record<string, unknown> {
  let maker = makers.get(schema);
  if (!maker) {
    const constants: unknown[] = [];
    const parts: string[] = [];
    for (const [name, { schema: field }] of schema.fields) {
      let text: string;
      if (field.kind === 'slice') text = '[]';
      else if (field.kind === 'struct' || field.kind === 'array' || field.kind === 'bytes')
        text = `zero[${constants.push(field) - 1}]()`;
      else text = `value[${constants.push(field) - 1}]`;
      parts.push(`${JSON.stringify(name)}: ${text}`);
    }
    const fields = constants as Schema[];
    const value = fields.map((field) =>
      field.kind === 'struct' || field.kind === 'array' ? undefined : zeroOf(field),
    );
    const zero = fields.map((field) => () => zeroOf(field));
    // The names come from our own declarations, never from a peer.
    maker = new Function('value', 'zero', `return () => ({ ${parts.join(', ')} });`)(
      value,
      zero,
    ) as () => Record<string, unknown>;
    makers.set(schema, maker);
  }
  return maker();
}

const LOCAL_NAMES: Record<string, string> = { hash: 'hash.Hash', time: 'time.Time', bytes: '[]uint8' };

function mismatch(local: Schema, field: string): Error {
  const type = 'goName' in local && local.goName ? local.goName : (LOCAL_NAMES[local.kind] ?? local.kind);
  return badData(`gob: wrong type (${type}) for received field ${field}`);
}

/** Walks over a value of any type. Values with interfaces are only skipped by `skipSteps`. */
function skip(context: Context, id: number, depth: number): void {
  if (depth > MAX_DEPTH) throw badData('gob: nesting is too deep');
  const { cursor } = context;
  const type = context.types.get(id);
  switch (type.kind) {
    case 'bool':
    case 'int':
    case 'uint':
    case 'float':
      cursor.uint();
      return;
    case 'complex':
      cursor.uint();
      cursor.uint();
      return;
    case 'bytes':
    case 'string':
    case 'opaque':
      cursor.take(cursor.uint());
      return;
    case 'array':
    case 'slice': {
      const count = cursor.count(1, 'slice');
      for (let index = 0; index < count; index++) skip(context, type.elem, depth + 1);
      return;
    }
    case 'map': {
      const count = cursor.count(2, 'map');
      for (let index = 0; index < count; index++) {
        skip(context, type.key, depth + 1);
        skip(context, type.elem, depth + 1);
      }
      return;
    }
    case 'struct': {
      let number = -1;
      while (cursor.left > 0) {
        const delta = cursor.uint();
        if (delta === 0) return;
        number += delta;
        const field = type.fields[number];
        if (!field) throw badData('gob: bad data: field numbers out of bounds');
        skip(context, field.id, depth + 1);
      }
      return;
    }
    case 'interface':
      throw badData('gob: interface where none can be');
  }
}

function mayHoldInterface(types: WireTypes, id: number, seen = new Set<number>()): boolean {
  if (seen.has(id)) return false;
  seen.add(id);
  const type = types.get(id);
  if (type.kind === 'interface') return true;
  if (type.kind === 'struct') return type.fields.some((field) => mayHoldInterface(types, field.id, seen));
  if (type.kind === 'map')
    return mayHoldInterface(types, type.key, seen) || mayHoldInterface(types, type.elem, seen);
  return (type.kind === 'array' || type.kind === 'slice') && mayHoldInterface(types, type.elem, seen);
}

function* skipSteps(context: Context, id: number): Steps<undefined> {
  if (!mayHoldInterface(context.types, id)) {
    skip(context, id, 0);
    return;
  }
  if (++context.depth > MAX_DEPTH) throw badData('gob: nesting is too deep');
  const { cursor } = context;
  const type = context.types.get(id);
  if (type.kind === 'interface') {
    const name = interfaceName(cursor);
    if (name !== '') {
      yield* concreteType(context);
      cursor.take(cursor.uint());
    }
  } else if (type.kind === 'struct') {
    let number = -1;
    for (;;) {
      const delta = cursor.uint();
      if (delta === 0) break;
      number += delta;
      const field = type.fields[number];
      if (!field) throw badData('gob: bad data: field numbers out of bounds');
      yield* skipSteps(context, field.id);
    }
  } else if (type.kind === 'map' || type.kind === 'slice' || type.kind === 'array') {
    const count = cursor.uint();
    for (let index = 0; index < count; index++) {
      if (type.kind === 'map') yield* skipSteps(context, type.key);
      yield* skipSteps(context, type.elem);
    }
  }
  context.depth--;
}

function interfaceName(cursor: Cursor): string {
  const length = cursor.uint();
  if (length > MAX_INTERFACE_NAME) throw badData('gob: name too long');
  return decodeText(cursor.take(length));
}

/** After an interface's name: definitions, perhaps in further messages, until the id of the concrete type. */
function* concreteType(context: Context): Steps<number> {
  const { cursor, types } = context;
  for (;;) {
    if (cursor.left === 0) yield 'message';
    const id = cursor.int();
    if (id >= 0) return id;
    types.define(-id, cursor);
    // An interface inside an interface: the count of the outer value stands between.
    if (cursor.left > 0) cursor.uint();
  }
}

function unionSteps(schema: UnionSchema): (context: Context) => Steps<unknown> {
  const variants = new Map(schema.variants.map((variant) => [variant.registeredName, variant]));
  return function* (context) {
    const { cursor } = context;
    const name = interfaceName(cursor);
    if (name === '') return null;
    const variant = variants.get(name);
    if (!variant) throw badData(`gob: name not registered for interface: "${name}"`);
    const id = yield* concreteType(context);
    const size = cursor.uint();
    if (size > cursor.left) throw badData('unexpected EOF');
    const plan = planFor(context, id, variant.struct);
    const value = 'straight' in plan ? plan.straight(context) : yield* plan.steps(context);
    return Object.assign({ Kind: variant.tag }, value);
  };
}

/** The plan for a concrete type; kept for this decode. */
export function planFor(context: Context, id: number, schema: Schema): Plan {
  const key = `${id}:${'goName' in schema ? schema.goName : schema.kind}`;
  let plan = context.plans.get(key);
  if (!plan) {
    plan = makePlan(context.types, id, schema, '', new Map());
    context.plans.set(key, plan);
  }
  return plan;
}

const SAME: Record<string, string> = { hash: 'array', time: 'opaque', union: 'interface' };

/** Makes the plan for values of the peer's type `id` as values of `schema`. `where` names the field, for errors. */
export function makePlan(
  types: WireTypes,
  id: number,
  schema: Schema,
  where: string,
  open: Map<string, Plan>,
): Plan {
  const type = types.get(id);
  if (schema.kind === 'pointer') return makePlan(types, id, schema.elem, where, open);
  if ((SAME[schema.kind] ?? schema.kind) !== type.kind) {
    if (schema.kind === 'struct' && where === '')
      throw badData(`gob: type mismatch in decoder: want struct type ${schema.goName}; got non-struct`);
    throw mismatch(schema, where);
  }
  const outOfRange = () => badData(`value for "${where.slice(where.lastIndexOf('.') + 1)}" out of range`);
  switch (schema.kind) {
    case 'bool':
      return { straight: ({ cursor }) => cursor.uint() !== 0 };
    case 'uint': {
      if (schema.bits === 64) return { straight: ({ cursor }) => cursor.bigUint() };
      const limit = 2 ** schema.bits;
      return {
        straight: ({ cursor }) => {
          const value = cursor.uint();
          if (value >= limit) throw outOfRange();
          return value;
        },
      };
    }
    case 'int': {
      if (schema.bits === 64) return { straight: ({ cursor }) => cursor.bigInt() };
      const limit = 2 ** (schema.bits - 1);
      return {
        straight: ({ cursor }) => {
          const value = cursor.int();
          if (!(value >= -limit && value < limit)) throw outOfRange();
          return value;
        },
      };
    }
    case 'float':
      return { straight: ({ cursor }) => cursor.float() };
    case 'string':
      return {
        straight: ({ cursor }) => {
          const length = cursor.uint();
          if (length > cursor.left) throw badData(`gob: bad string slice length: ${length}`);
          const text = decodeText(cursor.bytes, cursor.at, cursor.at + length);
          cursor.at += length;
          return text;
        },
      };
    case 'bytes':
      return { straight: ({ cursor }) => cursor.take(cursor.uint()).slice() };
    case 'hash': {
      const { elem, length } = type as Extract<WireType, { kind: 'array' }>;
      if (length !== 64 || types.get(elem).kind !== 'uint') throw mismatch(schema, where);
      return { straight: ({ cursor }) => readHash(cursor) };
    }
    case 'time':
      return { straight: ({ cursor }) => readTime(cursor) };
    case 'union':
      return { steps: unionSteps(schema) };
    case 'struct':
      return structPlan(types, id, schema, open);
    case 'slice':
    case 'array': {
      const wire = type as Extract<WireType, { elem: number }>;
      if (schema.kind === 'array' && (type as { length: number }).length !== schema.length)
        throw mismatch(schema, where);
      const elem = makePlan(types, wire.elem, schema.elem, where, open);
      if (!('straight' in elem)) throw badData('gob: slices of interfaces are not known here');
      return {
        straight: (context) => {
          const count = context.cursor.count(1, 'slice');
          if (schema.kind === 'array' && count !== schema.length)
            throw badData('length mismatch in decodeArray');
          const list: unknown[] = [];
          for (let index = 0; index < count; index++) list.push(elem.straight(context));
          return list;
        },
      };
    }
    case 'map':
      return mapPlan(types, type as Extract<WireType, { kind: 'map' }>, schema, where, open);
  }
}

function mapPlan(
  types: WireTypes,
  type: Extract<WireType, { kind: 'map' }>,
  schema: Extract<Schema, { kind: 'map' }>,
  where: string,
  open: Map<string, Plan>,
): Plan {
  const key = makePlan(types, type.key, schema.key, where, open);
  if (!('straight' in key)) throw mismatch(schema, where);
  const elem = makePlan(types, type.elem, schema.elem, where, open);
  if ('straight' in elem)
    return {
      straight: (context) => {
        const count = context.cursor.count(2, 'map');
        const map = new Map<unknown, unknown>();
        for (let index = 0; index < count; index++) map.set(key.straight(context), elem.straight(context));
        return map;
      },
    };
  const { steps } = elem;
  return {
    *steps(context) {
      // The entries may come in further messages, so the count cannot be held against what is here.
      const count = context.cursor.uint();
      const { observer } = context;
      const map = new Map<unknown, unknown>();
      for (let index = 0; index < count; index++) {
        if (index % BREATH === BREATH - 1) yield 'breath';
        const itemKey = key.straight(context);
        const item = yield* steps(context);
        if (observer) observer.inode(itemKey as bigint, item);
        else map.set(itemKey, item);
      }
      return map;
    },
  };
}

function structPlan(types: WireTypes, id: number, schema: StructSchema, open: Map<string, Plan>): Plan {
  const key = `${id}:${schema.goName}`;
  const already = open.get(key);
  if (already) return already;
  const { fields } = types.get(id) as Extract<WireType, { kind: 'struct' }>;
  if (fields.length > 0 && schema.fields.size > 0 && !fields.some((field) => schema.fields.has(field.name)))
    throw badData(
      `gob: type mismatch: no fields matched compiling decoder for ${schema.goName.split('.').pop()}`,
    );
  const resolve = () =>
    fields.map((field) => {
      const local = schema.fields.get(field.name);
      return {
        name: field.name,
        id: field.id,
        plan: local
          ? makePlan(types, field.id, local.schema, `${schema.goName.split('.').pop()}.${field.name}`, open)
          : undefined,
      };
    });
  const withSteps =
    hasUnion(schema) ||
    fields.some((field) => !schema.fields.has(field.name) && mayHoldInterface(types, field.id));
  let steps: ReturnType<typeof resolve> = [];
  const plan: Plan = withSteps
    ? { steps: (context) => structSteps(context, schema, steps) }
    : { straight: (context) => structStraight(context, schema, steps) };
  open.set(key, plan);
  steps = resolve();
  return plan;
}

type FieldStep = { readonly name: string; readonly id: number; readonly plan: Plan | undefined };

function structStraight(context: Context, schema: StructSchema, steps: readonly FieldStep[]): unknown {
  const { cursor } = context;
  const value = zeroStruct(schema);
  let number = -1;
  // The end of the message ends a struct too.
  while (cursor.at < cursor.end) {
    const delta = cursor.uint();
    if (delta === 0) return value;
    number += delta;
    const step = steps[number];
    if (!step) throw badData('gob: bad data: field numbers out of bounds');
    if (step.plan)
      value[step.name] = (step.plan as { straight: (context: Context) => unknown }).straight(context);
    else skip(context, step.id, 0);
  }
  return value;
}

function* structSteps(context: Context, schema: StructSchema, steps: readonly FieldStep[]): Steps<unknown> {
  const { cursor, observer } = context;
  if (++context.depth > MAX_DEPTH) throw badData('gob: nesting is too deep');
  const value = zeroStruct(schema);
  let number = -1;
  while (cursor.at < cursor.end) {
    const token = cursor.at;
    const delta = cursor.uint();
    if (delta === 0) {
      cursor.at = token;
      observer?.structEnd?.(schema);
      cursor.at++;
      break;
    }
    number += delta;
    const step = steps[number];
    if (!step) throw badData('gob: bad data: field numbers out of bounds');
    if (observer?.field) {
      const start = cursor.at;
      cursor.at = token;
      observer.field(schema, step.name, number, 'token');
      cursor.at = start;
      observer.field(schema, step.name, number, 'start');
    }
    if (!step.plan) yield* skipSteps(context, step.id);
    else if ('straight' in step.plan) value[step.name] = step.plan.straight(context);
    else value[step.name] = yield* step.plan.steps(context);
    observer?.field?.(schema, step.name, number, 'end');
  }
  context.depth--;
  return value;
}
