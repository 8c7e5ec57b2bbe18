/** Plans for interfaces and maps of them. Most entries of an inode table take the quick way, inside one message. */
import type { AnySchema, MapSchema, Schema, UnionSchema, UnionVariant } from '../schema.ts';
import { encodeText } from '../text.ts';
import { badData, type Cursor } from './cursor.ts';
import { type Context, type Plan, planOf, type Read, type Steps } from './plan.ts';
import { concreteType, interfaceName } from './skip.ts';

/** Entries of a table between two breaths. */
const BREATH = 256;
/** About what an entry takes in memory at the least, bytes. */
const ENTRY = 80;

type Stepped = (context: Context) => Steps<unknown>;

/** The value could not be read at once: it needs further messages or a type not met before. */
const STALLED = Symbol('stalled');

/** Reads the values of one union in one decode; it remembers the types met so far. */
class UnionReader {
  readonly #met: { name: Uint8Array; id: number; read: Read }[] = [];
  /** True for the table that the observer sees. */
  constructor(
    readonly schema: UnionSchema,
    readonly observed: boolean,
  ) {}

  /** The next value if its type is known and all is in this message, else STALLED and nothing taken. */
  quick(cursor: Cursor): unknown {
    const { bytes, end, at } = cursor;
    const length = bytes[at] as number;
    if (length === 0) {
      cursor.at++;
      return null;
    }
    const start = at + 1;
    const stop = start + length;
    // A type id and a count must follow.
    if (!(length < 128) || stop >= end) return STALLED;
    for (let index = 0; index < this.#met.length; index++) {
      const met = this.#met[index] as { name: Uint8Array; id: number; read: Read };
      const { name } = met;
      if (name.length !== length) continue;
      let left = length - 1;
      // The names differ in their ends.
      while (left >= 0 && bytes[start + left] === name[left]) left--;
      if (left >= 0) continue;
      cursor.at = stop;
      if (cursor.int() !== met.id) {
        cursor.at = at;
        return STALLED;
      }
      cursor.uint();
      return met.read(cursor);
    }
    return STALLED;
  }

  /** The next value, whatever it needs. */
  *slow(context: Context): Steps<unknown> {
    const { cursor } = context;
    const name = interfaceName(cursor);
    if (name === '') return null;
    const variant = this.schema.variants.find((one) => one.registeredName === name);
    if (!variant) throw badData(`gob: name not registered for interface: "${name}"`);
    const id = yield* concreteType(context);
    // The count of bytes; Go does not look at it either when it knows the type.
    cursor.uint();
    const plan = planOf(context.types, id, variant.struct, variant);
    const read =
      (this.observed ? context.observer?.reader(variant, context.types, id) : undefined) ?? plan.read;
    if (!read) return yield* (plan.steps as Stepped)(context);
    this.#remember(variant, id, read);
    return read(cursor);
  }

  #remember(variant: UnionVariant, id: number, read: Read): void {
    const name = encodeText(variant.registeredName);
    const index = this.#met.findIndex((one) => Buffer.compare(one.name, name) === 0);
    this.#met.splice(index < 0 ? this.#met.length : index, 1, { name, id, read });
  }
}

export function unionSteps(schema: UnionSchema): Stepped {
  return function* (context) {
    const { cursor } = context;
    cursor.enter();
    const value = yield* new UnionReader(schema, false).slow(context);
    cursor.depth--;
    return value;
  };
}

/** A basic type behind an interface: its value is preceded by a zero byte, as at top level. */
export function anySteps(schema: AnySchema): Stepped {
  return function* (context) {
    const { cursor } = context;
    const name = interfaceName(cursor);
    if (name === '') return null;
    const type = schema.types.get(name);
    if (!type) throw badData(`gob: name not registered for interface: "${name}"`);
    const id = yield* concreteType(context);
    cursor.uint();
    if (cursor.byte() !== 0) throw badData('gob: corrupted data: non-zero delta for singleton');
    return { type: name, value: (planOf(context.types, id, type).read as Read)(cursor) };
  };
}

/** Takes entries until `stop` or until one stalls; its key is then in `stalled`. */
interface Batch {
  done: number;
  stalled: boolean;
  key: unknown;
}

function takeEntries(
  cursor: Cursor,
  batch: Batch,
  stop: number,
  union: UnionReader,
  key: Read,
  map: Map<unknown, unknown>,
) {
  for (; batch.done < stop; batch.done++) {
    if (cursor.at >= cursor.end) throw badData('unexpected EOF');
    const name = key(cursor);
    const value = union.quick(cursor);
    if (value === STALLED) {
      batch.key = name;
      batch.stalled = true;
      return;
    }
    map.set(name, value);
  }
}

/** As `takeEntries`, but the observer sees the entries and nothing is kept. */
function showEntries(cursor: Cursor, batch: Batch, stop: number, union: UnionReader, context: Context) {
  const observer = context.observer as NonNullable<Context['observer']>;
  for (; batch.done < stop; batch.done++) {
    if (cursor.at >= cursor.end) throw badData('unexpected EOF');
    observer.key(cursor);
    const value = union.quick(cursor);
    if (value === STALLED) {
      batch.stalled = true;
      return;
    }
    if (value === null) observer.nil();
  }
}

/** A map whose values may hold interfaces: its entries may come in further messages. */
export function mapSteps(schema: MapSchema, key: Plan, elem: Plan): Stepped {
  const union = (schema.elem as Schema).kind === 'union';
  return function* (context) {
    const { cursor, observer } = context;
    const count = cursor.uint();
    cursor.enter();
    const map = new Map<unknown, unknown>();
    const readKey = key.read as Read;
    if (union) {
      const observed = observer?.table === schema;
      const reader = new UnionReader(schema.elem as UnionSchema, observed);
      const batch: Batch = { done: 0, stalled: false, key: undefined };
      while (batch.done < count) {
        const stop = Math.min(count, batch.done + BREATH);
        const from = batch.done;
        if (observed) showEntries(cursor, batch, stop, reader, context);
        else takeEntries(cursor, batch, stop, reader, readKey, map);
        cursor.spend((batch.done - from) * ENTRY);
        if (batch.stalled) {
          batch.stalled = false;
          const value = yield* reader.slow(context);
          if (!observed) map.set(batch.key, value);
          else if (value === null) observer.nil();
          else if (value !== undefined) observer.built(value);
          batch.done++;
        }
        if (batch.done < count) yield 'breath';
      }
    } else {
      for (let index = 0; index < count; index++) {
        if (cursor.at >= cursor.end) throw badData('unexpected EOF');
        cursor.spend(ENTRY);
        const name = readKey(cursor);
        map.set(name, yield* (elem.steps as Stepped)(context));
      }
    }
    cursor.depth--;
    return map;
  };
}
