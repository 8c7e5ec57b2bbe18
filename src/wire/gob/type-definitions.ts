/** Gob's type definitions: which ids and names Go gives to the types of a schema, and their bytes. */
import type { Schema, StructSchema } from '../schema.ts';
import { GobWriter } from './writer.ts';

/** Ids of the types every gob peer knows. */
const BASIC = {
  bool: 1,
  int: 2,
  uint: 3,
  float: 4,
  bytes: 5,
  string: 6,
  complex: 7,
  union: 8,
  any: 8,
} as const;
const FIRST_USER_ID = 65;

/** A pointer is encoded as what it points to. */
export function stripPointers(schema: Schema): Schema {
  let inner = schema;
  while (inner.kind === 'pointer') inner = inner.elem as Schema;
  return inner;
}

/** Go's notation of a type, e.g. `[]*filesystem.DirectoryEntry`. */
export function goNotation(schema: Schema): string {
  switch (schema.kind) {
    case 'int':
    case 'uint':
    case 'struct':
      return schema.goName;
    case 'bool':
      return 'bool';
    case 'string':
      return schema.goName ?? 'string';
    case 'float':
      return schema.goName ?? 'float64';
    case 'complex':
      return 'complex128';
    case 'any':
      return 'interface {}';
    case 'bytes':
      return '[]uint8';
    case 'hash':
      return 'hash.Hash';
    case 'time':
      return 'time.Time';
    case 'union':
      return schema.goName ?? 'interface {}';
    case 'pointer':
      return `*${goNotation(schema.elem)}`;
    case 'slice':
      return `[]${goNotation(schema.elem)}`;
    case 'array':
      return `[${schema.length}]${goNotation(schema.elem)}`;
    case 'map':
      return schema.goName || `map[${goNotation(schema.key)}]${goNotation(schema.elem)}`;
  }
}

/** The name without package; empty for unnamed types and pointers. */
function bareName(schema: Schema): string {
  const named =
    schema.kind === 'struct' ||
    schema.kind === 'hash' ||
    schema.kind === 'time' ||
    (schema.kind === 'map' && schema.goName);
  if (!named) return '';
  const notation = goNotation(schema);
  return notation.slice(notation.lastIndexOf('.') + 1);
}

/** What a definition needs: the name depends on where Go meets the type first. */
interface Definition {
  readonly schema: Schema;
  readonly id: number;
  readonly name: string;
}

/** The types one encoder knows. */
export class TypeTable {
  readonly #ids: Map<string, number>;
  #next: number;

  constructor(from?: TypeTable) {
    this.#ids = new Map(from ? from.#ids : []);
    this.#next = from ? from.#next : FIRST_USER_ID;
  }

  /** Id of a type that has been met; basic types have fixed ones. */
  idOf(schema: Schema): number | undefined {
    const type = stripPointers(schema);
    return type.kind in BASIC ? BASIC[type.kind as keyof typeof BASIC] : this.#ids.get(goNotation(type));
  }

  /** Gives ids to a top-level or concrete type and all it needs; returns the new definitions in the order Go sends them. */
  define(schema: Schema): Definition[] {
    const type = stripPointers(schema);
    const names = new Map<string, Definition>();
    this.#assign(type, bareName(type), names);
    const ordered: Definition[] = [];
    const seen = new Set<string>();
    const visit = (part: Schema) => {
      const inner = stripPointers(part);
      const notation = goNotation(inner);
      const definition = names.get(notation);
      if (!definition || seen.has(notation)) return;
      seen.add(notation);
      ordered.push(definition);
      for (const child of partsOf(inner)) visit(child);
    };
    visit(type);
    return ordered;
  }

  #assign(type: Schema, name: string, made: Map<string, Definition>): void {
    if (type.kind in BASIC) return;
    const notation = goNotation(type);
    if (this.#ids.has(notation)) return;
    const take = () => {
      const id = this.#next++;
      this.#ids.set(notation, id);
      made.set(notation, { schema: type, id, name });
    };
    // A struct takes its id before its fields, other types after their elements.
    if (type.kind === 'struct') {
      take();
      for (const { schema } of (type as StructSchema).fields.values()) {
        const inner = stripPointers(schema);
        this.#assign(inner, bareName(inner) || goNotation(inner), made);
      }
      return;
    }
    if (type.kind === 'slice') {
      const elem = type.elem as Schema;
      this.#assign(stripPointers(elem), elem.kind === 'pointer' ? '' : bareName(elem), made);
    } else if (type.kind === 'array' || type.kind === 'map') {
      if (type.kind === 'map') this.#assign(stripPointers(type.key), '', made);
      this.#assign(stripPointers(type.elem), '', made);
    }
    take();
  }

  /** The bytes of one definition: the negative id and the wireType, without a message count. */
  definitionBytes({ schema, id, name }: Definition): Uint8Array {
    const writer = new GobWriter();
    writer.int(-id);
    const common = () => {
      writer.byte(1);
      let delta = 1;
      if (name) {
        writer.byte(1);
        writer.text(name);
      } else delta = 2;
      writer.byte(delta);
      writer.int(id);
      writer.byte(0);
    };
    const elemId = (part: Schema) => writer.int(this.idOf(part) as number);
    switch (schema.kind) {
      case 'hash':
      case 'array':
        writer.byte(1);
        common();
        writer.byte(1);
        if (schema.kind === 'hash') writer.int(BASIC.uint);
        else elemId(schema.elem);
        writer.byte(1);
        writer.int(schema.kind === 'hash' ? 64 : schema.length);
        break;
      case 'slice':
        writer.byte(2);
        common();
        writer.byte(1);
        elemId(schema.elem);
        break;
      case 'struct':
        writer.byte(3);
        common();
        if (schema.fields.size > 0) {
          writer.byte(1);
          writer.uint(schema.fields.size);
          for (const [field, spec] of schema.fields as StructSchema['fields']) {
            writer.byte(1);
            writer.text(field);
            writer.byte(1);
            elemId(spec.schema);
            writer.byte(0);
          }
        }
        break;
      case 'map':
        writer.byte(4);
        common();
        writer.byte(1);
        elemId(schema.key);
        writer.byte(1);
        elemId(schema.elem);
        break;
      case 'time':
        writer.byte(5);
        common();
        break;
      default:
        throw new Error(`no definition for ${schema.kind}`);
    }
    writer.byte(0);
    writer.byte(0);
    return writer.take();
  }
}

/** The types a definition refers to, in order. */
function partsOf(type: Schema): Schema[] {
  if (type.kind === 'struct') return [...(type as StructSchema).fields.values()].map((field) => field.schema);
  if (type.kind === 'map') return [type.key, type.elem];
  return type.kind === 'slice' || type.kind === 'array' ? [type.elem] : [];
}
