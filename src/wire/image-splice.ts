/**
 * A stored image as a field of a message, from its own bytes: gob accepts any free type id, so the stored definitions
 * stay, one of ours is added, and only the head of the first value message and the end of the last one change.
 */

import { GobWriter } from './gob/writer.ts';
import { encodedUint, messageAt, readHead } from './image-layout.ts';

/** Gob's predefined type id of strings. */
const STRING_ID = 6;
/** Senders number their types from 65 upwards. */
const FIRST_OWN_ID = 1000;
const END_OF_STRUCT = Uint8Array.of(0);

/** The definition of a struct with a string field `ImageName`, if wanted, and a field `Image`. */
function definition(typeName: string, id: number, named: boolean, imageId: number): Uint8Array {
  const writer = new GobWriter();
  writer.int(-id);
  // wireType.StructT.CommonType.Name and Id
  for (const delta of [3, 1, 1]) writer.byte(delta);
  writer.text(typeName);
  writer.byte(1);
  writer.int(id);
  // End of CommonType; Field list
  for (const byte of [0, 1, named ? 2 : 1]) writer.byte(byte);
  const field = (name: string, type: number) => {
    writer.byte(1);
    writer.text(name);
    writer.byte(1);
    writer.int(type);
    writer.byte(0);
  };
  if (named) field('ImageName', STRING_ID);
  field('Image', imageId);
  writer.byte(0);
  writer.byte(0);
  return writer.take();
}

/**
 * `bytes` is exactly one gob(image.Image). The chunks share its memory; together they are the gob of a struct with the
 * image in its field `Image` and, unless undefined, the name in a field `ImageName` before it.
 */
export function wrapImage(bytes: Uint8Array, typeName: string, imageName: string | undefined): Uint8Array[] {
  const stored = readHead(bytes);
  let lastCount = stored.at;
  let last: { start: number; end: number } = stored;
  while (last.end < bytes.length) {
    lastCount = last.end;
    last = messageAt(bytes, lastCount);
  }
  const used = stored.types.ids();
  let id = FIRST_OWN_ID;
  while (used.has(id)) id++;
  const own = definition(typeName, id, imageName !== undefined, stored.id);
  const start = new GobWriter();
  start.int(id);
  // Fields are counted from the one before: an empty name is left out, so Image is then two on.
  if (imageName) {
    start.byte(1);
    start.text(imageName);
  }
  start.byte(imageName === '' ? 2 : 1);
  const opening = start.take();
  const body = stored.end - stored.body;
  const alone = last.start === stored.start;
  const head = Buffer.concat([
    encodedUint(own.length),
    own,
    encodedUint(opening.length + body + (alone ? 1 : 0)),
    opening,
  ]);
  const definitions = bytes.subarray(0, stored.at);
  if (alone) return [definitions, head, bytes.subarray(stored.body, stored.end), END_OF_STRUCT];
  return [
    definitions,
    head,
    bytes.subarray(stored.body, lastCount),
    encodedUint(last.end - last.start + 1),
    bytes.subarray(last.start, last.end),
    END_OF_STRUCT,
  ];
}
