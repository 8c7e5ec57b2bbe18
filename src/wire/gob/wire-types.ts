/**
 * The types a peer has defined on its stream. Peers of one kind define the same, call after call, so sets of
 * definitions are shared between streams, together with the decoding plans that were made for them.
 */
import { badData, type Cursor } from './cursor.ts';
import { DEFAULT_LIMITS, type GobLimits } from './limits.ts';

interface WireField {
  readonly name: string;
  readonly id: number;
}
export type WireType =
  | { readonly kind: 'bool' | 'int' | 'uint' | 'float' | 'bytes' | 'string' | 'complex' | 'interface' }
  | { readonly kind: 'array'; readonly elem: number; readonly length: number }
  | { readonly kind: 'slice'; readonly elem: number }
  | { readonly kind: 'map'; readonly key: number; readonly elem: number }
  | {
      readonly kind: 'struct';
      readonly fields: readonly WireField[];
      /** What the peer calls it; for error texts only. */
      readonly name: string;
    }
  | { readonly kind: 'opaque' };
export type WireTypeOf<K extends WireType['kind']> = Extract<WireType, { kind: K }>;

const BASIC: readonly (WireType | undefined)[] = [
  undefined,
  { kind: 'bool' },
  { kind: 'int' },
  { kind: 'uint' },
  { kind: 'float' },
  { kind: 'bytes' },
  { kind: 'string' },
  { kind: 'complex' },
  { kind: 'interface' },
];
const FIRST_USER_ID = 64;

/** Walks the fields of a struct inside a definition; `visit` must consume the field's value. */
function eachField(cursor: Cursor, fields: number, visit: (field: number) => void): void {
  let field = -1;
  for (;;) {
    const delta = cursor.uint();
    if (delta === 0) return;
    field += delta;
    if (!(field < fields)) throw badData('gob: bad data: field numbers out of bounds');
    visit(field);
  }
}

/** CommonType { Name, Id }: answers the name. The id stands before the definition, too. */
function readCommon(cursor: Cursor): string {
  let name = '';
  eachField(cursor, 2, (field) => {
    if (field === 0) name = cursor.text();
    else cursor.int();
  });
  return name;
}

function readFields(cursor: Cursor): WireField[] {
  const count = cursor.uint();
  if (!(count <= cursor.left))
    throw badData(`gob: decoding array or slice: length exceeds input size (${count} elements)`);
  const fields: WireField[] = [];
  for (let index = 0; index < count; index++) {
    let name = '';
    let id = 0;
    eachField(cursor, 2, (field) => {
      if (field === 0) name = cursor.text();
      else id = cursor.int();
    });
    fields.push({ name, id });
  }
  return fields;
}

/** Reads one wireType value: which of its seven fields is there says what kind of type it is. */
function readWireType(cursor: Cursor): WireType {
  let type: WireType | undefined;
  eachField(cursor, 7, (kind) => {
    if (type) throw badData('gob: unknown type id or corrupted data');
    let elem = 0;
    let key = 0;
    let length = 0;
    let fields: WireField[] = [];
    let name = '';
    // ArrayT and MapT have three fields, SliceT and StructT two, the opaque kinds only their CommonType.
    eachField(cursor, kind === 0 || kind === 3 ? 3 : kind < 3 ? 2 : 1, (field) => {
      if (field === 0) name = readCommon(cursor);
      else if (kind === 2) fields = readFields(cursor);
      else if (kind === 3 && field === 1) key = cursor.int();
      else if (kind === 3 || field === 1) elem = cursor.int();
      else length = cursor.int();
    });
    if (kind === 0) type = { kind: 'array', elem, length };
    else if (kind === 1) type = { kind: 'slice', elem };
    else if (kind === 2) type = { kind: 'struct', fields, name };
    else if (kind === 3) type = { kind: 'map', key, elem };
    else type = { kind: 'opaque' };
  });
  if (!type) throw badData('gob: unknown type id or corrupted data');
  return type;
}

/** Definitions kept for streams to come, and the bytes they were made from. */
const MAX_SHARED_SETS = 512;
const MAX_SHARED_BYTES = 256 * 1024;
const MAX_SHARED_DEFINITION = 8192;
let sharedSets = 0;
let sharedBytes = 0;

/** What has been defined up to some point of a stream. Never changes: a further definition gives another set. */
export class WireTypes {
  /** Sets with one more definition, by its bytes; only in shared sets. */
  readonly #next = new Map<string, WireTypes>();
  readonly #plans = new Map<object, Map<number, unknown>>();

  private constructor(
    private readonly parent: WireTypes | undefined,
    private readonly id: number,
    private readonly type: WireType | undefined,
    private readonly shared: boolean,
    /** Number of types defined. */
    readonly size: number,
    /** Bytes of all definitions. */
    readonly bytes: number,
  ) {}

  static #root = new WireTypes(undefined, 0, undefined, true, 0, 0);
  /** A stream's beginning: nothing is defined. */
  static get none(): WireTypes {
    return WireTypes.#root;
  }

  #find(id: number): WireType | undefined {
    if (id < FIRST_USER_ID) return BASIC[id];
    for (let set: WireTypes | undefined = this; set; set = set.parent) if (set.id === id) return set.type;
    return undefined;
  }

  get(id: number): WireType {
    const type = this.#find(id);
    if (!type) throw badData('gob: unknown type id or corrupted data');
    return type;
  }

  /** All ids in use. */
  ids(): Set<number> {
    const ids = new Set<number>();
    for (let set: WireTypes | undefined = this; set?.parent; set = set.parent) ids.add(set.id);
    return ids;
  }

  /** The set with the definition at the cursor, which is behind its (negated) id; moves the cursor behind it. */
  define(id: number, cursor: Cursor, limits: GobLimits = DEFAULT_LIMITS): WireTypes {
    // A definition as a rule fills its message to the end.
    const key = this.shared && cursor.left < MAX_SHARED_DEFINITION ? cursor.rest() : undefined;
    const found = key === undefined ? undefined : this.#next.get(key);
    const known = found?.id === id ? found : undefined;
    const set = known ?? this.#define(id, cursor, key, limits);
    if (known) cursor.at = cursor.end;
    if (set.size > limits.maxTypes || set.bytes > limits.maxDefinitionBytes)
      throw badData('gob: too many types');
    return set;
  }

  #define(id: number, cursor: Cursor, key: string | undefined, limits: GobLimits): WireTypes {
    const length = cursor.left;
    if (length > limits.maxDefinitionBytes) throw badData('gob: too many types');
    if (!(id >= FIRST_USER_ID && Number.isFinite(id)) || this.#find(id))
      throw badData('gob: duplicate type received');
    const type = readWireType(cursor);
    const shared = key !== undefined && cursor.left === 0 && !this.#next.has(key);
    const set = new WireTypes(this, id, type, shared, this.size + 1, this.bytes + length);
    if (shared) {
      if (sharedSets >= MAX_SHARED_SETS || sharedBytes + length > MAX_SHARED_BYTES) {
        WireTypes.#root = new WireTypes(undefined, 0, undefined, true, 0, 0);
        sharedSets = 0;
        sharedBytes = 0;
      }
      this.#next.set(key, set);
      sharedSets++;
      sharedBytes += length;
    }
    return set;
  }

  /** What `make` gave for this schema and id the first time. */
  kept<T>(schema: object, id: number, make: () => T): T {
    let plans = this.#plans.get(schema);
    if (!plans) {
      plans = new Map();
      this.#plans.set(schema, plans);
    }
    let plan = plans.get(id);
    if (plan === undefined) {
      plan = make();
      plans.set(id, plan);
    }
    return plan as T;
  }

  /** The shape of a type as text: equal for types that are encoded alike, whatever their ids. */
  shape(id: number): string {
    const met = new Map<number, number>();
    const parts: string[] = [];
    const visit = (part: number, depth: number): void => {
      const type = this.get(part);
      const before = met.get(part);
      if (before !== undefined) return void parts.push(`#${before}`);
      if (depth > DEFAULT_LIMITS.maxDepth) throw badData('gob: nesting is too deep');
      if (part >= FIRST_USER_ID) met.set(part, met.size);
      parts.push(type.kind);
      if (type.kind === 'struct')
        for (const field of type.fields) {
          parts.push(JSON.stringify(field.name));
          visit(field.id, depth + 1);
        }
      if (type.kind === 'map') visit(type.key, depth + 1);
      if (type.kind === 'array') parts.push(String(type.length));
      if (type.kind === 'array' || type.kind === 'slice' || type.kind === 'map') visit(type.elem, depth + 1);
      parts.push(';');
    };
    visit(id, 0);
    return parts.join(' ');
  }

  /** Whether values of the type can hold interfaces, so that they may spread over messages. */
  mayHoldInterface(id: number): boolean {
    const seen = new Set<number>();
    const open = [id];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      const type = this.get(next);
      if (type.kind === 'interface') return true;
      if (type.kind === 'struct') for (const field of type.fields) open.push(field.id);
      else if (type.kind === 'map') open.push(type.key, type.elem);
      else if (type.kind === 'array' || type.kind === 'slice') open.push(type.elem);
    }
    return false;
  }
}
