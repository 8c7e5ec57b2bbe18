/** The types a peer has defined on its stream. */

import { decodeText } from '../text.ts';
import { badData, type Cursor } from './cursor.ts';

export interface WireField {
  readonly name: string;
  readonly id: number;
}
export type WireType =
  | { readonly kind: 'bool' | 'int' | 'uint' | 'float' | 'bytes' | 'string' | 'complex' | 'interface' }
  | { readonly kind: 'array'; readonly elem: number; readonly length: number }
  | { readonly kind: 'slice'; readonly elem: number }
  | { readonly kind: 'map'; readonly key: number; readonly elem: number }
  | { readonly kind: 'struct'; readonly fields: readonly WireField[] }
  | { readonly kind: 'opaque' };

const BASIC: ReadonlyMap<number, WireType> = new Map<number, WireType>([
  [1, { kind: 'bool' }],
  [2, { kind: 'int' }],
  [3, { kind: 'uint' }],
  [4, { kind: 'float' }],
  [5, { kind: 'bytes' }],
  [6, { kind: 'string' }],
  [7, { kind: 'complex' }],
  [8, { kind: 'interface' }],
]);
const FIRST_USER_ID = 64;

/** Walks the fields of a struct inside a definition; `visit` must consume the field's value. */
function eachField(cursor: Cursor, fields: number, visit: (field: number) => void): void {
  let field = -1;
  for (;;) {
    const delta = cursor.uint();
    if (delta === 0) return;
    field += delta;
    if (field >= fields) throw badData('gob: bad data: field numbers out of bounds');
    visit(field);
  }
}

/** CommonType { Name, Id }: both are of no use here, the id stands before the definition. */
function skipCommon(cursor: Cursor): void {
  eachField(cursor, 2, (field) => {
    if (field === 0) cursor.take(cursor.uint());
    else cursor.int();
  });
}

function readFields(cursor: Cursor): WireField[] {
  const count = cursor.count(1, 'slice');
  const fields: WireField[] = [];
  for (let index = 0; index < count; index++) {
    let name = '';
    let id = 0;
    eachField(cursor, 2, (field) => {
      if (field === 0) name = decodeText(cursor.take(cursor.uint()));
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
    let elem = 0;
    let key = 0;
    let length = 0;
    let fields: WireField[] = [];
    eachField(cursor, 3, (field) => {
      if (field === 0) return skipCommon(cursor);
      if (kind > 3) throw badData('gob: bad data: field numbers out of bounds');
      if (kind === 2) fields = readFields(cursor);
      else if (kind === 3 && field === 1) key = cursor.int();
      else if (kind === 3 || field === 1) elem = cursor.int();
      else length = cursor.int();
    });
    if (kind === 0) type = { kind: 'array', elem, length };
    else if (kind === 1) type = { kind: 'slice', elem };
    else if (kind === 2) type = { kind: 'struct', fields };
    else if (kind === 3) type = { kind: 'map', key, elem };
    else type = { kind: 'opaque' };
  });
  if (!type) throw badData('gob: unknown type id or corrupted data');
  return type;
}

export class WireTypes {
  readonly #types = new Map<number, WireType>();
  /** What has been defined, as text: peers that define the same get the same decoding plans. */
  signature = '';

  constructor(private readonly limits: { readonly maxTypes: number }) {}

  get(id: number): WireType {
    const type = this.#types.get(id) ?? BASIC.get(id);
    if (!type) throw badData('gob: unknown type id or corrupted data');
    return type;
  }

  /** Reads a definition whose negative id has been read already. */
  define(id: number, cursor: Cursor): void {
    const start = cursor.at;
    if (id < FIRST_USER_ID || this.#types.has(id)) throw badData('gob: duplicate type received');
    if (this.#types.size >= this.limits.maxTypes) throw badData('gob: too many types');
    this.#types.set(id, readWireType(cursor));
    this.signature += `${id}:${Buffer.from(cursor.bytes.buffer, cursor.bytes.byteOffset + start, cursor.at - start).toString('latin1')}`;
  }
}
