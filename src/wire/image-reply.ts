/** The reply to GetImage as parts of the stored file and what stands between them. */
import { getImageReply } from './encoded-image.ts';

/** Bytes of the stored image, from `start` on. */
interface StoredRange {
  readonly start: number;
  readonly length: number;
}
export type ReplyPart = Uint8Array | StoredRange;

/** Shorter runs are kept: reading them costs more than the memory. */
const WORTH_READING = 4096;

/** Holds on to nothing of `bytes`. */
export function replyParts(bytes: Uint8Array): readonly ReplyPart[] {
  return getImageReply(bytes).map((chunk) =>
    chunk.buffer === bytes.buffer && chunk.length >= WORTH_READING
      ? { start: chunk.byteOffset - bytes.byteOffset, length: chunk.length }
      : new Uint8Array(chunk),
  );
}
