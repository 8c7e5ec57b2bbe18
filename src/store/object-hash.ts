/** Object hashes as hex text and as bytes, and the file that holds an object: XX/YY/ZZ… (2, 2 and 124 hex digits). */
import { ImageServerError } from '../errors.ts';
import type { Hash } from './types.ts';

export const HASH_BYTES = 64;
const HASH_TEXT = /^[0-9a-f]{128}$/;

function isHash(text: string): boolean {
  return HASH_TEXT.test(text);
}

/** 128 lower-case hex digits as 64 bytes. Throws INVALID_REQUEST for anything else. */
export function hashBytes(hash: Hash, into: Buffer = Buffer.alloc(HASH_BYTES)): Buffer {
  if (!isHash(hash)) throw new ImageServerError('INVALID_REQUEST', 'invalid hash');
  into.write(hash, 0, 'hex');
  return into;
}

export function hashText(bytes: Uint8Array, at = 0): Hash {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, HASH_BYTES).toString('hex');
}

/** Path of an object relative to OBJECT_DIR. */
export function objectPath(hash: Hash): string {
  return `${hash.slice(0, 2)}/${hash.slice(2, 4)}/${hash.slice(4)}`;
}

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The 64 bytes at `at` as 16 words in the byte order of this machine, as a Uint32Array over them would show. */
export function readHashWords(bytes: Uint8Array, at: number, words: Uint32Array): void {
  for (let i = 0; i < 16; i++, at += 4) {
    const b0 = bytes[at] as number;
    const b1 = bytes[at + 1] as number;
    const b2 = bytes[at + 2] as number;
    const b3 = bytes[at + 3] as number;
    words[i] = littleEndian
      ? b0 | (b1 << 8) | (b2 << 16) | (b3 << 24)
      : (b0 << 24) | (b1 << 16) | (b2 << 8) | b3;
  }
}
