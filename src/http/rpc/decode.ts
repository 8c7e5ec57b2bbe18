/** Parameters of calls from JSON text. */
import type { EncodedImage } from '../../store/types.ts';
import { encodeImage } from '../../wire/encoded-image.ts';
import { fromJson } from '../../wire/json.ts';
import { AddImageRequest } from '../../wire/messages/imageserver.ts';
import type { StructSchema, ValueOf } from '../../wire/schema.ts';
import { decodeImageText } from './image-text.ts';

/** Largest JSON text of a call, bytes: an image of some 200,000 inodes. */
export const MAX_CALL = 64 * 1024 * 1024;

/** A message from its JSON text; no text at all is the empty message. Throws INVALID_REQUEST naming the field. */
export function decodeParameters<S extends StructSchema>(schema: S, text: string): ValueOf<S> {
  return fromJson(schema, text.trim() === '' ? '{}' : text) as ValueOf<S>;
}

/** Longer texts are decoded in slices, characters. */
const LONG = 128 * 1024;

/** The parameters of AddImage, with the image in the form in which it is stored. */
export async function decodeImageUpload(
  text: string,
): Promise<{ ImageName: string; image: EncodedImage | null }> {
  const { ImageName, Image } =
    text.length > LONG ? await decodeImageText(text) : decodeParameters(AddImageRequest, text);
  return { ImageName, image: Image ? encodeImage(Image) : null };
}
