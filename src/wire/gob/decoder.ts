/**
 * The gob decoder: takes exactly the messages of one value from its source. A fresh one is made for each call, so plans
 * are kept between decoders by what the peer has defined.
 */
import type { Schema, ValueOf } from '../schema.ts';
import { badData, Cursor } from './cursor.ts';
import { type Context, makePlan, type Observer, type Pause, type Plan } from './plan.ts';
import { WireTypes } from './wire-types.ts';

export interface MessageSource {
  /** Payload of the next message without its count; undefined = clean end of the stream. */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

export interface GobLimits {
  /** Types one stream may define. */
  readonly maxTypes: number;
  /** Bytes of all messages of one value. */
  readonly maxValueBytes: number;
}

const DEFAULT_LIMITS: GobLimits = { maxTypes: 1000, maxValueBytes: 512 * 1024 * 1024 };
/** Plans kept for each schema; peers of one kind all define the same. */
const MAX_PLANS = 64;
const keptPlans = new WeakMap<Schema, Map<string, Plan>>();

function keptPlan(schema: Schema, key: string, make: () => Plan): Plan {
  let plans = keptPlans.get(schema);
  if (!plans) {
    plans = new Map();
    keptPlans.set(schema, plans);
  }
  let plan = plans.get(key);
  if (!plan) {
    plan = make();
    if (plans.size >= MAX_PLANS) plans.delete(plans.keys().next().value as string);
    plans.set(key, plan);
  }
  return plan;
}

export class GobDecoder {
  readonly #source: MessageSource;
  readonly #limits: GobLimits;
  readonly #types: WireTypes;
  readonly #cursor = new Cursor();
  readonly #observer: Observer | undefined;
  #taken = 0;

  constructor(source: MessageSource, limits?: Partial<GobLimits>, observer?: Observer) {
    this.#source = source;
    this.#limits = limits ? { ...DEFAULT_LIMITS, ...limits } : DEFAULT_LIMITS;
    this.#types = new WireTypes(this.#limits);
    this.#observer = observer;
  }

  /** Where decoding is in the present message; for observers. */
  get cursor(): Cursor {
    return this.#cursor;
  }

  /**
   * The next value; undefined at a clean end between values. Answers at once when the source does. Throws
   * INVALID_REQUEST, with Go's text where it has one.
   */
  decode<S extends Schema>(schema: S): ValueOf<S> | undefined | Promise<ValueOf<S> | undefined> {
    this.#taken = 0;
    return this.#drive(this.#steps(schema)) as ValueOf<S> | undefined | Promise<ValueOf<S> | undefined>;
  }

  #drive<T>(steps: Generator<Pause, T, void>): T | Promise<T> {
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) return step.value;
      if (step.value === 'breath') continue;
      const message = this.#source.next();
      if (message instanceof Promise) return this.#driveLater(steps, message);
      this.#accept(message);
    }
  }

  async #driveLater<T>(steps: Generator<Pause, T, void>, first: Promise<Uint8Array | undefined>): Promise<T> {
    this.#accept(await first);
    let since = performance.now();
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) return step.value;
      if (step.value === 'message') this.#accept(await this.#source.next());
      else if (performance.now() - since > 3) {
        await new Promise((resolve) => setImmediate(resolve));
        since = performance.now();
      }
    }
  }

  #accept(message: Uint8Array | undefined): void {
    if (message === undefined) {
      if (this.#taken === 0) {
        this.#cursor.set(EMPTY);
        this.#ended = true;
        return;
      }
      throw badData('unexpected EOF');
    }
    if (message.length === 0) throw badData('EOF');
    this.#taken += message.length;
    if (this.#taken > this.#limits.maxValueBytes) throw badData('gob: value is too big');
    this.#cursor.set(message);
  }
  #ended = false;

  *#steps(schema: Schema): Generator<Pause, unknown, void> {
    const cursor = this.#cursor;
    for (;;) {
      cursor.set(EMPTY);
      yield 'message';
      if (this.#ended) return undefined;
      const id = cursor.int();
      if (id < 0) {
        this.#types.define(-id, cursor);
        continue;
      }
      const type = this.#types.get(id);
      if (type.kind !== 'struct' && cursor.byte() !== 0)
        throw badData('gob: corrupted data: non-zero delta for singleton');
      const signature = `${id};${this.#types.signature}`;
      const plan = keptPlan(schema, signature, () => makePlan(this.#types, id, schema, '', new Map()));
      const context: Context = {
        cursor,
        types: this.#types,
        observer: this.#observer,
        plans: new Map(),
        depth: 0,
      };
      return 'straight' in plan ? plan.straight(context) : yield* plan.steps(context);
    }
  }
}

const EMPTY = new Uint8Array(0);

/** Cuts messages out of bytes that are all there. */
export class BufferSource implements MessageSource {
  readonly #cursor = new Cursor();

  constructor(bytes: Uint8Array) {
    this.#cursor.set(bytes);
  }
  /** Bytes consumed so far. */
  get at(): number {
    return this.#cursor.at;
  }
  next(): Uint8Array | undefined {
    if (this.#cursor.left === 0) return undefined;
    const count = this.#cursor.uint();
    if (count > this.#cursor.left) throw badData('unexpected EOF');
    return this.#cursor.take(count);
  }
}

/** Decodes the first value of a stream that is all there; `used` is where it ended. */
export function decodeOnce<S extends Schema>(
  schema: S,
  bytes: Uint8Array,
): { value: ValueOf<S>; used: number } {
  const source = new BufferSource(bytes);
  const value = new GobDecoder(source).decode(schema);
  if (value === undefined) throw badData('EOF');
  return { value: value as ValueOf<S>, used: source.at };
}
