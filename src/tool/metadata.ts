/** An image without its tree as text. */
import { toGoJson } from '../wire/json.ts';
import { Image } from '../wire/messages/image.ts';

/** Indented JSON with the field names of the wire. */
export function metadataText(image: Image): string {
  const value: unknown = JSON.parse(toGoJson(Image, { ...image, FileSystem: null }));
  const text = JSON.stringify(value, undefined, 4);
  // Go writes these characters of HTML as escapes.
  return `${text.replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}
