/**
 * Decoding plans: how values of a peer's type become values of our schema. Matching is by field name. What cannot hold
 * an interface is read by straight functions inside one message; what can is read by generators, which pause where the
 * next message is needed and now and then to let others run.
 */
import type { MapSchema, Schema, StructSchema, UnionVariant } from '../schema.ts';
import { badData, type Cursor } from './cursor.ts';
import { anySteps, mapSteps, unionSteps } from './interface-plan.ts';
import { skipSteps, skipValue } from './skip.ts';
import { compileStruct } from './struct-reader.ts';
import { goNotation } from './type-definitions.ts';
import type { WireTypeOf, WireTypes } from './wire-types.ts';
import { weightOf, zeroOf } from './zero.ts';

/** 'message' = the cursor needs the next message; 'breath' = others may run. */
export type Pause = 'message' | 'breath';
export type Steps<T> = Generator<Pause, T, void>;
export type Read = (cursor: Cursor) => unknown;

/** State of one decode. */
export interface Context {
  readonly cursor: Cursor;
  /** Grows while the value is read: types behind interfaces are defined where they first occur. */
  types: WireTypes;
  readonly observer: Observer | undefined;
}

/** Sees a value being decoded: where fields lie, and the entries of one map instead of having them built. */
export interface Observer {
  /** The map (of unions) whose entries are looked at and not kept. */
  readonly table: MapSchema;
  /** Takes the key of an entry of the table from the cursor. */
  key(cursor: Cursor): void;
  /** The function that takes an entry's value from the cursor (and answers undefined); undefined = build the value. */
  reader(variant: UnionVariant, types: WireTypes, id: number): Read | undefined;
  /** An entry's value that had to be built. */
  built(value: unknown): void;
  /** The entry's value was nil. */
  nil(): void;
  /** A field of a struct that may hold interfaces: 'token' before its delta, then begin and end of its value. */
  field(struct: StructSchema, name: string, number: number, phase: 'token' | 'start' | 'end'): void;
  /** Before the byte that ends such a struct. */
  structEnd(struct: StructSchema): void;
}

/** Exactly one of the two; set late for types that contain themselves. */
export interface Plan {
  read?: Read;
  steps?: (context: Context) => Steps<unknown>;
}

/** Plans kept for each schema, by the shape of the peer's type. */
const MAX_PLANS = 64;
const keptPlans = new WeakMap<object, Map<string, Plan>>();

/** The plan for values of the peer's type `id` as values of `schema`, or of a union's variant (with its `Kind`). */
export function planOf(types: WireTypes, id: number, schema: Schema, variant?: UnionVariant): Plan {
  const owner: object = variant ?? schema;
  return types.kept(owner, id, () => {
    const shape = types.shape(id);
    let plans = keptPlans.get(owner);
    if (!plans) {
      plans = new Map();
      keptPlans.set(owner, plans);
    }
    let plan = plans.get(shape);
    plans.delete(shape);
    if (!plan) {
      const maker = new PlanMaker(types);
      plan = variant ? maker.struct(id, variant.struct, variant.tag) : maker.make(id, schema, '');
      if (plans.size >= MAX_PLANS) plans.delete(plans.keys().next().value as string);
    }
    plans.set(shape, plan);
    return plan;
  });
}

const WIRE_KIND: Record<string, string> = {
  hash: 'array',
  time: 'opaque',
  union: 'interface',
  any: 'interface',
};

/** A peer's name as part of an error text, which may stand on a line of its own. */
const printable = (name: string) => (/^[\w.[\]*]{0,100}$/.test(name) ? name : '');

/** Name without package. */
const bare = (schema: StructSchema) => schema.goName.slice(schema.goName.lastIndexOf('.') + 1);

class PlanMaker {
  /** Structs being made or done, so that recursive types find themselves. */
  readonly #structs = new Map<StructSchema, Map<number, Plan>>();
  constructor(readonly types: WireTypes) {}

  /** `where` names the field, for errors: `Struct.Field`, empty at top level. */
  make(id: number, schema: Schema, where: string): Plan {
    const type = this.types.get(id);
    let local = schema;
    while (local.kind === 'pointer') local = local.elem as Schema;
    if ((WIRE_KIND[local.kind] ?? local.kind) !== type.kind) {
      if (local.kind === 'struct' && where === '')
        throw badData(`gob: type mismatch in decoder: want struct type ${local.goName}; got non-struct`);
      throw mismatch(schema, where);
    }
    const field = where.slice(where.lastIndexOf('.') + 1);
    switch (local.kind) {
      case 'bool':
        return { read: (cursor) => cursor.uint() !== 0 };
      case 'uint': {
        if (local.bits === 64) return { read: (cursor) => cursor.bigUint() };
        const limit = 2 ** local.bits;
        return { read: (cursor) => cursor.smallUint(limit, field) };
      }
      case 'int': {
        if (local.bits === 64) return { read: (cursor) => cursor.bigInt() };
        const limit = 2 ** (local.bits - 1);
        return { read: (cursor) => cursor.smallInt(limit, field) };
      }
      case 'float':
        return { read: (cursor) => cursor.float() };
      case 'complex':
        return { read: (cursor) => [cursor.float(), cursor.float()] };
      case 'string':
        return { read: (cursor) => cursor.text() };
      case 'bytes':
        return { read: (cursor) => new Uint8Array(cursor.take(cursor.uint())) };
      case 'hash': {
        const { elem, length } = type as WireTypeOf<'array'>;
        if (length !== 64 || this.types.get(elem).kind !== 'uint') throw mismatch(schema, where);
        return { read: (cursor) => cursor.hash() };
      }
      case 'time':
        return { read: (cursor) => cursor.time() };
      case 'union':
        return { steps: unionSteps(local) };
      case 'any':
        return { steps: anySteps(local) };
      case 'struct':
        return this.struct(id, local);
      case 'slice':
        return this.#list((type as WireTypeOf<'slice'>).elem, local.elem, undefined, where);
      case 'array': {
        const { elem, length } = type as WireTypeOf<'array'>;
        if (length !== local.length) throw mismatch(schema, where);
        return this.#list(elem, local.elem, length, where);
      }
      case 'map':
        return this.#map(type as WireTypeOf<'map'>, local, where);
    }
  }

  #list(id: number, schema: Schema, length: number | undefined, where: string): Plan {
    const elem = this.make(id, schema, where);
    const weight = elementWeight(schema);
    const check = (count: number) => {
      if (length !== undefined && count !== length) throw badData('length mismatch in decodeArray');
    };
    if (elem.steps) {
      const { steps } = elem;
      return {
        *steps(context) {
          const { cursor } = context;
          const count = cursor.uint();
          check(count);
          cursor.enter();
          const list: unknown[] = [];
          for (let index = 0; index < count; index++) {
            // Elements may come in further messages, but none begins at the end of one.
            if (cursor.at >= cursor.end) throw badData('unexpected EOF');
            cursor.spend(weight);
            list.push(yield* steps(context));
          }
          cursor.depth--;
          return list;
        },
      };
    }
    return {
      read: (cursor) => {
        const count = cursor.count(1, weight);
        check(count);
        cursor.enter();
        const read = elem.read as Read;
        const list: unknown[] = [];
        for (let index = 0; index < count; index++) {
          if (cursor.at >= cursor.end) throw badData('unexpected EOF');
          list.push(read(cursor));
        }
        cursor.depth--;
        return list;
      },
    };
  }

  #map(type: WireTypeOf<'map'>, schema: MapSchema, where: string): Plan {
    const key = this.make(type.key, schema.key, where);
    const elem = this.make(type.elem, schema.elem, where);
    if (key.steps) throw mismatch(schema, where);
    if (elem.steps) return { steps: mapSteps(schema, key, elem) };
    const weight = MAP_ENTRY + elementWeight(schema.key) + elementWeight(schema.elem);
    return {
      read: (cursor) => {
        const count = cursor.count(2, weight);
        cursor.enter();
        const map = new Map<unknown, unknown>();
        for (let index = 0; index < count; index++) {
          if (cursor.at >= cursor.end) throw badData('unexpected EOF');
          map.set((key.read as Read)(cursor), (elem.read as Read)(cursor));
        }
        cursor.depth--;
        return map;
      },
    };
  }

  /** `tag` is the `Kind` of a union's variant. */
  struct(id: number, schema: StructSchema, tag?: string): Plan {
    const type = this.types.get(id);
    if (type.kind !== 'struct')
      throw badData(`gob: type mismatch in decoder: want struct type ${schema.goName}; got non-struct`);
    let made = this.#structs.get(schema);
    if (!made) {
      made = new Map();
      this.#structs.set(schema, made);
    }
    const known = made.get(id);
    if (known) return known;
    if (
      type.fields.length > 0 &&
      schema.fields.size > 0 &&
      !type.fields.some((field) => schema.fields.has(field.name))
    )
      throw badData(`gob: type mismatch: no fields matched compiling decoder for ${bare(schema)}`);
    const plan: Plan = {};
    made.set(id, plan);
    const stepped = this.types.mayHoldInterface(id);
    // Known before the fields are made: a field may be of this very type.
    if (stepped) plan.steps = (context) => structSteps(context, schema, fields, tag);
    const { types } = this;
    const fields = type.fields.map((field): FieldPlan => {
      const local = schema.fields.get(field.name)?.schema;
      // Go names the sender's struct; our own field's name, as the two are equal.
      const where = `${printable(type.name)}.${field.name}`;
      if (local) return { name: field.name, id: field.id, local, plan: this.make(field.id, local, where) };
      return {
        name: field.name,
        id: field.id,
        local: undefined,
        plan: stepped ? {} : { read: (cursor) => skipValue(types, field.id, cursor) },
      };
    });
    if (!stepped) plan.read = compileStruct(schema, fields, tag);
    return plan;
  }
}

/** What an entry of a map takes beside key and value, bytes. */
const MAP_ENTRY = 48;
/** An element is there even if it is a pointer. */
const elementWeight = (schema: Schema): number =>
  8 + weightOf(schema.kind === 'pointer' ? (schema.elem as Schema) : schema);

/** A field of the peer's struct. */
export interface FieldPlan {
  readonly name: string;
  readonly id: number;
  /** Our field of this name; undefined = skip it. */
  readonly local: Schema | undefined;
  readonly plan: Plan;
}

function mismatch(local: Schema, field: string): Error {
  return badData(
    field === ''
      ? `gob: decoding into local type ${goNotation(local)}, received remote type of another kind`
      : `gob: wrong type (${goNotation(local)}) for received field ${field}`,
  );
}

function* structSteps(
  context: Context,
  schema: StructSchema,
  fields: readonly FieldPlan[],
  tag: string | undefined,
): Steps<unknown> {
  const { cursor, observer } = context;
  cursor.enter();
  const value = zeroOf(schema) as Record<string, unknown>;
  let number = -1;
  // The end of the message ends a struct too.
  while (cursor.at < cursor.end) {
    const token = cursor.at;
    const delta = cursor.uint();
    if (delta === 0) {
      cursor.at = token;
      observer?.structEnd(schema);
      cursor.at++;
      break;
    }
    number += delta;
    const field = fields[number];
    if (!field) throw badData('gob: bad data: field numbers out of bounds');
    if (observer) {
      const start = cursor.at;
      cursor.at = token;
      observer.field(schema, field.name, number, 'token');
      cursor.at = start;
      observer.field(schema, field.name, number, 'start');
    }
    const { plan } = field;
    if (!field.local) yield* skipSteps(context, field.id);
    else if (plan.read) value[field.name] = plan.read(cursor);
    else value[field.name] = yield* (plan.steps as (context: Context) => Steps<unknown>)(context);
    observer?.field(schema, field.name, number, 'end');
  }
  cursor.depth--;
  return tag === undefined ? value : { Kind: tag, ...value };
}
