/** Reads a message with an image in it and cuts the image out of its bytes, so that nothing of it is lost. */
import { badData, Cursor } from './gob/cursor.ts';
import { BufferSource, GobDecoder, type MessageSource } from './gob/decoder.ts';
import { WireTypes } from './gob/wire-types.ts';
import { GobWriter } from './gob/writer.ts';
import { encodedUint } from './image-layout.ts';
import { ImageScan, type ImageSummary, type OuterField } from './image-summary.ts';
import type { Image } from './messages/image.ts';
import type { StructSchema } from './schema.ts';

export interface CutImage {
  /** The gob stream of the image alone; undefined if it cannot be had without encoding anew. */
  readonly bytes: Uint8Array | undefined;
  readonly summary: ImageSummary | undefined;
  /** The whole value as values, decoded anew, for when there are no bytes. */
  decode(): Promise<{ Image: Image | null }>;
}

/** Keeps the messages it hands on. */
class RecordingSource implements MessageSource {
  readonly messages: Uint8Array[] = [];
  /** Bytes of all messages so far, without their counts. */
  length = 0;
  constructor(readonly inner: MessageSource) {}

  async next(): Promise<Uint8Array | undefined> {
    const message = await this.inner.next();
    if (message === undefined) return undefined;
    // The inner source may use its buffer again.
    const copy = new Uint8Array(message);
    this.messages.push(copy);
    this.length += copy.length;
    return copy;
  }
}

/** A run of kept bytes: where it was in the messages, and where it is in the cut stream. */
interface Move {
  readonly from: number;
  readonly to: number;
}

/**
 * The definitions stay, the first value message begins with the id of Image instead of the outer struct, the last one
 * ends where the image ends. Undefined if the image does not begin in the first value message.
 */
function cut(
  messages: readonly Uint8Array[],
  image: OuterField,
): { bytes: Uint8Array; shift: (at: number) => number } | undefined {
  const parts: Uint8Array[] = [];
  const moves: Move[] = [];
  let length = 0;
  const put = (part: Uint8Array) => {
    parts.push(part);
    length += part.length;
  };
  let types = WireTypes.none;
  let inValue = false;
  let start = 0;
  const cursor = new Cursor();
  for (const message of messages) {
    const end = start + message.length;
    const messageStart = start;
    start = end;
    const head = new GobWriter();
    let from = messageStart;
    if (!inValue) {
      cursor.set(message);
      const id = cursor.int();
      if (id < 0) {
        types = types.define(-id, cursor);
        put(encodedUint(message.length));
        put(message);
        continue;
      }
      const outer = types.get(id);
      const field = outer.kind === 'struct' ? outer.fields[image.number] : undefined;
      if (!field || image.start > end) return undefined;
      head.int(field.id);
      from = image.start;
      inValue = true;
    }
    const payload = message.subarray(from - messageStart, Math.min(image.end, end) - messageStart);
    put(encodedUint(head.length + payload.length));
    put(head.take());
    moves.push({ from, to: length });
    put(payload);
    if (image.end <= end) break;
  }
  const shift = (at: number) => {
    let found = moves[0] as Move;
    for (const move of moves) if (move.from <= at) found = move;
    return at - found.from + found.to;
  };
  return { bytes: Buffer.concat(parts), shift };
}

/** Reads one value of a struct with a field `Image`. The image is undefined if the field is nil. */
export async function readWithImage<T extends { Image: Image | null }>(
  schema: StructSchema<T>,
  inner: MessageSource,
): Promise<{ value: T; image: CutImage | undefined }> {
  const source = new RecordingSource(inner);
  const scan: ImageScan = new ImageScan(() => source.length - decoder.cursor.left);
  const decoder = new GobDecoder(source, undefined, scan);
  const value = (await decoder.decode(schema)) as T | undefined;
  if (value === undefined) throw badData('EOF');
  const { messages } = source;
  const image = value.Image;
  if (!image) return { value, image: undefined };
  const decode = async () => {
    const parts = messages.flatMap((message) => [encodedUint(message.length), message]);
    return (await new GobDecoder(new BufferSource(Buffer.concat(parts))).decode(schema)) as T;
  };
  const whole = scan.outer ? cut(messages, scan.outer) : undefined;
  if (!whole || !scan.outer) return { value, image: { bytes: undefined, summary: undefined, decode } };
  const summary = await scan.summary(image, whole.bytes.length, whole.shift);
  return { value, image: { bytes: whole.bytes, summary, decode } };
}
