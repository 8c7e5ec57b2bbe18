/** Object hashes as they stand in paths and queries. */
import { ImageServerError } from '../../errors.ts';
import type { Hash } from '../../store/types.ts';

export const HASH_DIGITS = 128;
const HASH = /^[0-9a-fA-F]{128}$/;

/** The hash in lower case. Throws INVALID_REQUEST. */
export function parseHash(text: string): Hash {
  if (!HASH.test(text))
    throw new ImageServerError('INVALID_REQUEST', 'a hash is 128 hexadecimal digits (SHA-512)');
  return text.toLowerCase();
}

/** `Content-Digest` (RFC 9530) of a whole object. */
export function contentDigest(hash: Hash): string {
  return `sha-512=:${Uint8Array.fromHex(hash).toBase64()}:`;
}
