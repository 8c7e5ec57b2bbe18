/**
 * The gob decoder: takes exactly the messages of one value from its source. A fresh one is made for each call and costs
 * next to nothing: definitions and plans are shared between streams.
 */
import type { Schema, ValueOf } from '../schema.ts';
import { badData, Cursor } from './cursor.ts';
import { DEFAULT_LIMITS, type GobLimits } from './limits.ts';
import { type Context, type Observer, type Pause, type Plan, planOf, type Steps } from './plan.ts';
import { WireTypes } from './wire-types.ts';

export type { GobLimits } from './limits.ts';

export interface MessageSource {
  /**
   * Payload of the next message without its count; undefined = clean end of the stream. The bytes must stay as they are
   * until the next call.
   */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/** A decode that answers later lets others run after this many milliseconds. */
const SLICE = 2;
/** The stream's clean end. */
const END = Symbol('end');
/** A definition has been read: the value is still to come. */
const MORE = Symbol('more');

export class GobDecoder {
  readonly #source: MessageSource;
  readonly #cursor: Cursor;
  readonly #observer: Observer | undefined;
  #types = WireTypes.none;
  #taken = 0;

  constructor(source: MessageSource, limits?: Partial<GobLimits>, observer?: Observer) {
    this.#source = source;
    this.#cursor = new Cursor(limits ? { ...DEFAULT_LIMITS, ...limits } : DEFAULT_LIMITS);
    this.#observer = observer;
  }

  /** Where decoding is in the present message; for observers. */
  get cursor(): Cursor {
    return this.#cursor;
  }
  /** What the peer has defined so far. */
  get types(): WireTypes {
    return this.#types;
  }

  /**
   * The next value; undefined at a clean end between values. Answers at once when the source does. Throws
   * INVALID_REQUEST, with Go's text where it has one; the stream is then of no further use.
   */
  decode<S extends Schema>(schema: S): ValueOf<S> | undefined | Promise<ValueOf<S> | undefined> {
    type Answer = ValueOf<S> | undefined;
    this.#taken = 0;
    this.#cursor.renew();
    for (;;) {
      const message = this.#source.next();
      if (message instanceof Promise) return this.#later(schema, message) as Promise<Answer>;
      const value = this.#begin(schema, message);
      if (value === MORE) continue;
      if (value === END) return undefined;
      if (!(value instanceof Paused)) return value as Answer;
      const { steps } = value;
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done) {
          this.#types = value.context.types;
          return step.value as Answer;
        }
        if (step.value === 'breath') continue;
        const more = this.#source.next();
        if (more instanceof Promise) return this.#finish(value, more) as Promise<Answer>;
        this.#accept(more);
      }
    }
  }

  async #later(schema: Schema, first: Promise<Uint8Array | undefined>): Promise<unknown> {
    for (let message = await first; ; message = await this.#source.next()) {
      const value = this.#begin(schema, message);
      if (value === MORE) continue;
      if (value === END) return undefined;
      return value instanceof Paused ? this.#finish(value) : value;
    }
  }

  async #finish({ steps, context }: Paused, pending?: Promise<Uint8Array | undefined>): Promise<unknown> {
    if (pending) this.#accept(await pending);
    let since = performance.now();
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) {
        this.#types = context.types;
        return step.value;
      }
      if (step.value === 'message') {
        this.#accept(await this.#source.next());
        // Waiting for a source that has everything already lets nobody run.
      }
      if (performance.now() - since > SLICE) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        since = performance.now();
      }
    }
  }

  #accept(message: Uint8Array | undefined): void {
    if (message === undefined) throw badData('unexpected EOF');
    const { limits } = this.#cursor;
    if (message.length === 0) throw badData('EOF');
    this.#taken += message.length;
    if (message.length > limits.maxMessageBytes || this.#taken > limits.maxValueBytes)
      throw badData('gob: value is too big');
    this.#cursor.set(message);
    this.#cursor.memory += message.length * limits.memoryPerByte;
  }

  /** Takes one message: a definition, or a value that is read or begun. */
  #begin(schema: Schema, message: Uint8Array | undefined): unknown {
    if (message === undefined && this.#taken === 0) return END;
    this.#accept(message);
    const cursor = this.#cursor;
    const id = cursor.int();
    if (id < 0) {
      this.#types = this.#types.define(-id, cursor, cursor.limits);
      return MORE;
    }
    const types = this.#types;
    const plan: Plan = planOf(types, id, schema);
    if (types.get(id).kind !== 'struct' && cursor.byte() !== 0)
      throw badData('gob: corrupted data: non-zero delta for singleton');
    if (plan.read) return plan.read(cursor);
    const context: Context = { cursor, types, observer: this.#observer };
    return new Paused((plan.steps as (context: Context) => Steps<unknown>)(context), context);
  }
}

/** A value that may need further messages. */
class Paused {
  constructor(
    readonly steps: Generator<Pause, unknown, void>,
    readonly context: Context,
  ) {}
}

/** Go refuses longer messages. */
const MAX_COUNT = 2 ** 33;

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
    if (!(count < MAX_COUNT)) throw badData('invalid message length');
    if (!(count <= this.#cursor.left)) throw badData('unexpected EOF');
    return this.#cursor.take(count);
  }
}

/** Decodes the first value of a stream that is all there; `used` is where it ended. */
export function decodeOnce<S extends Schema>(
  schema: S,
  bytes: Uint8Array,
  limits?: Partial<GobLimits>,
): { value: ValueOf<S>; used: number } {
  const source = new BufferSource(bytes);
  const value = new GobDecoder(source, limits).decode(schema);
  if (value === undefined) throw badData('EOF');
  return { value: value as ValueOf<S>, used: source.at };
}
