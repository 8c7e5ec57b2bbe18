/** Images as stored and sent: gob bytes that are scanned, patched and spliced but not re-encoded. */
import type { Image } from './messages/image.ts';

export interface ImageCounts {
  readonly regular: number;
  readonly computed: number;
  readonly symlink: number;
  readonly special: number;
  readonly directory: number;
  /** All entries of the inode table. */
  readonly inodes: number;
}

/** What one walk over the bytes of an image finds. */
export interface ImageSummary {
  /** The image without its file-system. */
  readonly header: Image;
  readonly hasFileSystem: boolean;
  /** 64 bytes for each regular inode with Size > 0, in the order met, repeated ones kept. */
  readonly hashes: Uint8Array;
  /** Sizes in bytes, same order. */
  readonly sizes: Float64Array;
  /** Objects of release notes and build log, hex. */
  readonly annotations: readonly string[];
  readonly counts: ImageCounts;
  /** Sum of Size over regular inodes, bytes. */
  readonly dataBytes: number;
  /** Why the tree is not sane, in words; empty if it is. */
  readonly problems: readonly string[];
}

/** The gob stream of one `image.Image`, without the checksum. */
export interface EncodedImage {
  readonly bytes: Uint8Array;
  /** Known already when the bytes came through the upload walk. */
  readonly summary?: ImageSummary;
}
