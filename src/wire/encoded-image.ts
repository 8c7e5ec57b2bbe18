/**
 * Images as stored and sent: gob bytes that are scanned, patched and spliced but not re-encoded, so that fields which
 * this version does not know survive. Everything long runs in slices of a few milliseconds.
 */
import { badData } from './gob/cursor.ts';
import { BufferSource, GobDecoder, type MessageSource } from './gob/decoder.ts';
import { encodeOnce } from './gob/encoder.ts';
import { GobWriter } from './gob/writer.ts';
import { type CutImage, readWithImage } from './image-cut.ts';
import { applyEdits, readHead, replaceFields } from './image-layout.ts';
import { wrapImage } from './image-splice.ts';
import { ImageScan, type ImageSummary } from './image-summary.ts';
import { Image } from './messages/image.ts';
import { AddImageRequest, GetImageResponse } from './messages/imageserver.ts';
import type { GoTime } from './time.ts';

export type { ImageSummary } from './image-summary.ts';

/** The gob stream of one `image.Image`, without the checksum. */
export interface EncodedImage {
  readonly bytes: Uint8Array;
  /** Known already when the bytes came through the upload walk. */
  readonly summary?: ImageSummary;
}

/** A source over whole bytes that answers later, so that a long decode lets others run. */
class SlicedSource implements MessageSource {
  readonly #source: BufferSource;
  constructor(bytes: Uint8Array) {
    this.#source = new BufferSource(bytes);
  }
  get at(): number {
    return this.#source.at;
  }
  async next(): Promise<Uint8Array | undefined> {
    return this.#source.next();
  }
}

/**
 * Walks over an encoded image; bytes behind its gob are not looked at (`gobLength` tells where it ends). Throws
 * INVALID_REQUEST for what is not an image.
 */
export async function scanImage(bytes: Uint8Array): Promise<ImageSummary> {
  const source = new SlicedSource(bytes);
  const scan: ImageScan = new ImageScan(() => source.at - decoder.cursor.left);
  const decoder = new GobDecoder(source, undefined, scan);
  const image = await decoder.decode(Image);
  if (image === undefined) throw badData('EOF');
  // Spliced into a reply such bytes would be taken for fields.
  if (decoder.cursor.left > 0) scan.problem('bytes after the end of the image');
  return scan.summary(image, source.at, (at) => at);
}

/** The whole image as values. */
export async function decodeImage(bytes: Uint8Array): Promise<Image> {
  const image = await new GobDecoder(new SlicedSource(bytes)).decode(Image);
  if (image === undefined) throw badData('EOF');
  return image;
}

export function encodeImage(image: Image): EncodedImage {
  return { bytes: encodeOnce(Image, image) };
}

/** The image that was cut out; encoded anew where its bytes cannot stand alone. */
async function encodedOf(cut: CutImage): Promise<EncodedImage> {
  if (cut.bytes && cut.summary) return { bytes: cut.bytes, summary: cut.summary };
  const { Image: image } = await cut.decode();
  const { bytes } = encodeImage(image as Image);
  return { bytes, summary: await scanImage(bytes) };
}

/** Reads an AddImageRequest; the image stays encoded. Null: the request has no image. */
export async function readImageUpload(
  source: MessageSource,
): Promise<{ ImageName: string; image: EncodedImage | null }> {
  const { value, image } = await readWithImage(AddImageRequest, source);
  return { ImageName: value.ImageName, image: image ? await encodedOf(image) : null };
}

/** Reads a GetImageResponse; the image stays encoded. Null: there is no such image. */
export async function readImageReply(source: MessageSource): Promise<EncodedImage | null> {
  const { image } = await readWithImage(GetImageResponse, source);
  return image ? encodedOf(image) : null;
}

/** gob(GetImageResponse{Image}) from the stored bytes, in chunks that share their memory. */
export function getImageReply(bytes: Uint8Array): Uint8Array[] {
  return wrapImage(bytes, 'GetImageResponse', undefined);
}

/** gob(AddImageRequest{ImageName, Image}) from the stored bytes, in the same way. */
export function addImageRequest(imageName: string, bytes: Uint8Array): Uint8Array[] {
  return wrapImage(bytes, 'AddImageRequest', imageName);
}

export interface ImagePatch {
  readonly createdBy?: string;
  readonly createdOn?: GoTime;
  readonly expiresAt?: GoTime;
}

function encodedField(write: (writer: GobWriter) => void): Uint8Array {
  const writer = new GobWriter();
  write(writer);
  return writer.take();
}

/** Numbers of the sender's Image fields. */
function fieldNumbers(bytes: Uint8Array): ReadonlyMap<string, number> {
  const { types, id } = readHead(bytes);
  const type = types.get(id);
  return new Map(type.kind === 'struct' ? type.fields.map((field, number) => [field.name, number]) : []);
}

/** The image with some fields replaced; everything else, also what we do not know, stays as it is. */
export async function patchImage(encoded: EncodedImage, patch: ImagePatch): Promise<EncodedImage> {
  const summary = encoded.summary?.layout ? encoded.summary : await scanImage(encoded.bytes);
  const gob = encoded.bytes.subarray(0, summary.gobLength);
  const { createdBy, createdOn, expiresAt } = patch;
  const values = new Map<string, Uint8Array>();
  if (createdBy !== undefined)
    values.set(
      'CreatedBy',
      encodedField((writer) => writer.text(createdBy)),
    );
  if (createdOn)
    values.set(
      'CreatedOn',
      encodedField((writer) => writer.time(createdOn)),
    );
  if (expiresAt)
    values.set(
      'ExpiresAt',
      encodedField((writer) => writer.time(expiresAt)),
    );
  const header: Image = {
    ...summary.header,
    ...(createdBy === undefined ? {} : { CreatedBy: createdBy }),
    ...(createdOn ? { CreatedOn: createdOn } : {}),
    ...(expiresAt ? { ExpiresAt: expiresAt } : {}),
  };
  const edits = summary.layout && replaceFields(summary.layout, fieldNumbers(gob), values);
  if (!edits) {
    // The sender's type lacks a field, so the definitions must change: only encoding anew can do that.
    const { FileSystem } = await decodeImage(gob);
    const { bytes } = encodeImage({ ...header, FileSystem });
    return { bytes, summary: await scanImage(bytes) };
  }
  const bytes = applyEdits(gob, edits);
  const { layout: _moved, ...rest } = summary;
  return { bytes, summary: { ...rest, header, gobLength: bytes.length } };
}
