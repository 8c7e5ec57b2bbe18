/** Which names images and directories may have. Checked on every way in, so that nothing leaves the data directories. */
import { ImageServerError } from '../errors.ts';

const MAX_NAME_BYTES = 1024;
const MAX_COMPONENT_BYTES = 255;

/** Why a name is refused, or undefined. */
function fault(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.startsWith('/')) return 'it must be relative';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'it has control characters';
  if (/[\ud800-\udfff]/u.test(name)) return 'it is not UTF-8';
  if (name.endsWith('~')) return 'it ends in ~';
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `it is longer than ${MAX_NAME_BYTES} bytes`;
  for (const part of name.split('/')) {
    if (part === '') return 'it has an empty component';
    if (part.startsWith('.')) return 'a component begins with a dot';
    if (Buffer.byteLength(part) > MAX_COMPONENT_BYTES)
      return `a component is longer than ${MAX_COMPONENT_BYTES} bytes`;
  }
  return undefined;
}

export function isImageName(name: string): boolean {
  return fault(name) === undefined;
}

/** Throws INVALID_NAME unless `name` can name an image: relative, clean, nothing hidden, no trailing `~`. */
export function checkImageName(name: string): void {
  const reason = fault(name);
  if (reason)
    throw new ImageServerError('INVALID_NAME', `bad image name: ${JSON.stringify(name)}: ${reason}`);
}

/** Throws INVALID_NAME unless `name` can name an image directory; `.` is the top level. */
export function checkDirectoryName(name: string): void {
  const reason = name === '.' ? undefined : fault(name);
  if (reason)
    throw new ImageServerError('INVALID_NAME', `bad directory name: ${JSON.stringify(name)}: ${reason}`);
}
