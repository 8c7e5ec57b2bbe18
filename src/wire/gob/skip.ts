/** Walks over values nobody wants: fields that the peer has and we do not. */
import { decodeText } from '../text.ts';
import { badData, type Cursor } from './cursor.ts';
import type { Context, Steps } from './plan.ts';
import type { WireTypes } from './wire-types.ts';

/** Longest name of a type behind an interface, as in Go. */
const MAX_INTERFACE_NAME = 1024;

/** Skips a value that holds no interfaces. */
export function skipValue(types: WireTypes, id: number, cursor: Cursor): void {
  const type = types.get(id);
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
      cursor.skip(cursor.uint());
      return;
    case 'interface':
      throw badData('gob: interface where none can be');
  }
  cursor.enter();
  if (type.kind === 'struct') {
    let number = -1;
    while (cursor.at < cursor.end) {
      const delta = cursor.uint();
      if (delta === 0) break;
      number += delta;
      const field = type.fields[number];
      if (!field) throw badData('gob: bad data: field numbers out of bounds');
      skipValue(types, field.id, cursor);
    }
  } else {
    const count = cursor.uint();
    // Each element takes a byte at least: a run past the end is found at once.
    if (!(count <= cursor.left))
      throw badData(`gob: decoding array or slice: length exceeds input size (${count} elements)`);
    for (let index = 0; index < count; index++) {
      if (type.kind === 'map') skipValue(types, type.key, cursor);
      skipValue(types, type.elem, cursor);
    }
  }
  cursor.depth--;
}

/** Skips any value; pauses where the next message is needed. */
export function* skipSteps(context: Context, id: number): Steps<undefined> {
  const { cursor } = context;
  if (!context.types.mayHoldInterface(id)) {
    skipValue(context.types, id, cursor);
    return;
  }
  cursor.enter();
  const type = context.types.get(id);
  if (type.kind === 'interface') {
    if (interfaceName(cursor) !== '') {
      yield* concreteType(context);
      cursor.skip(cursor.uint());
    }
  } else if (type.kind === 'struct') {
    let number = -1;
    while (cursor.at < cursor.end) {
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
      if (cursor.at >= cursor.end) throw badData('unexpected EOF');
      if (index % 256 === 255) yield 'breath';
      if (type.kind === 'map') yield* skipSteps(context, type.key);
      yield* skipSteps(context, type.elem);
    }
  }
  cursor.depth--;
}

/** The registered name of an interface's concrete type; empty = nil. */
export function interfaceName(cursor: Cursor): string {
  const length = cursor.uint();
  if (!(length <= MAX_INTERFACE_NAME)) throw badData(`name too long (${length} bytes)`);
  cursor.skip(length);
  return decodeText(cursor.bytes, cursor.at - length, cursor.at);
}

/** After an interface's name: definitions, perhaps in further messages, until the id of the concrete type. */
export function* concreteType(context: Context): Steps<number> {
  const { cursor } = context;
  for (;;) {
    if (cursor.at >= cursor.end) yield 'message';
    const id = cursor.int();
    if (id >= 0) return id;
    context.types = context.types.define(-id, cursor, cursor.limits);
    // An interface inside an interface: the count of the outer value stands between.
    if (cursor.at < cursor.end) cursor.uint();
  }
}
