/** Where an archive comes from: a file that can be read again, or a pipe, compressed or not. */
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { ImageServerError } from '../errors.ts';
import { BLOCK, looksLikeTar } from '../image/tar-format.ts';
import { ByteStream } from './byte-stream.ts';

export interface TarSource {
  readonly stream: ByteStream;
  /** The archive as it is, whose contents can be read again by their offsets; undefined for what cannot. */
  readonly file: { readonly path: string; readonly fd: number } | undefined;
  /** Bytes to read in all; 0 if not known. */
  readonly size: number;
  /** Bytes read so far, as `size` counts them. */
  readonly progress: () => number;
  close(): void;
}

const PIECE = 1024 * 1024;
const GZIP = Buffer.from('1f8b', 'hex');
const ZSTD = Buffer.from('28b52ffd', 'hex');
/** Other packers, by how their files begin. */
const UNSUPPORTED: readonly [Buffer, string][] = [
  [Buffer.from('fd377a585a00', 'hex'), 'xz'],
  [Buffer.from('BZh'), 'bzip2'],
  [Buffer.from('PK\x03\x04'), 'zip'],
];

/** Pieces are only valid until the next one, unless `kept` says that they are held on to. */
async function* filePieces(fd: number, kept: () => boolean): AsyncGenerator<Uint8Array> {
  const shared = Buffer.allocUnsafeSlow(PIECE);
  for (let at = 0; ; ) {
    const piece = kept() ? Buffer.allocUnsafeSlow(PIECE) : shared;
    const read = readSync(fd, piece, 0, PIECE, at);
    if (read === 0) return;
    at += read;
    yield piece.subarray(0, read);
  }
}

const begins = (head: Buffer, magic: Buffer) => head.subarray(0, magic.length).equals(magic);

function unpacked(
  source: AsyncIterable<Uint8Array>,
  unpacker: NodeJS.ReadWriteStream,
): AsyncIterable<Uint8Array> {
  pipeline(Readable.from(source), unpacker, () => {
    // The reader at the other end gets the error.
  });
  return unpacker as unknown as AsyncIterable<Uint8Array>;
}

async function* named(what: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const text =
      code === 'Z_BUF_ERROR' || /unexpected end/i.test(message) ? 'unexpected EOF' : `${what}: ${message}`;
    throw new ImageServerError('INVALID_REQUEST', text, { cause });
  }
}

/** Opens an archive by what is in it; `-` is stdin. Throws INVALID_REQUEST for what is none. */
export async function openTarSource(path: string, stdin: AsyncIterable<Uint8Array>): Promise<TarSource> {
  if (path === '-') return describe(new ByteStream(stdin), path, undefined, 0, () => undefined);
  const fd = openSync(path, 'r');
  const stat = fstatSync(fd);
  const close = () => closeSync(fd);
  try {
    if (stat.isDirectory()) throw new ImageServerError('INVALID_REQUEST', `read ${path}: is a directory`);
    // What is no file (a fifo, /dev/stdin) is read once, in order.
    if (stat.isFile()) {
      let source: TarSource | undefined;
      const pieces = filePieces(fd, () => source !== undefined && source.file === undefined);
      source = await describe(new ByteStream(pieces), path, fd, stat.size, close);
      return source;
    }
    return await describe(new ByteStream(createReadStream(path)), path, undefined, 0, close);
  } catch (error) {
    close();
    throw error;
  }
}

async function describe(
  raw: ByteStream,
  path: string,
  fd: number | undefined,
  size: number,
  close: () => void,
): Promise<TarSource> {
  const head = await raw.peek(BLOCK);
  const packed = (what: string, unpacker: NodeJS.ReadWriteStream): TarSource => ({
    stream: new ByteStream(named(what, unpacked(raw.rest(), unpacker))),
    file: undefined,
    size,
    progress: () => raw.position,
    close,
  });
  if (begins(head, GZIP)) return packed('gzip', createGunzip());
  if (begins(head, ZSTD)) return packed('zstd', createZstdDecompress());
  for (const [magic, what] of UNSUPPORTED)
    if (begins(head, magic))
      throw new ImageServerError(
        'INVALID_REQUEST',
        `unrecognised image type: unpack ${what} first, or pipe it in with -`,
      );
  const isTarName = /\.(tar|tar\.gz|tgz)$/.test(path);
  if (!looksLikeTar(head) && !isTarName)
    throw new ImageServerError('INVALID_REQUEST', 'unrecognised image type');
  return {
    stream: raw,
    file: fd === undefined ? undefined : { path, fd },
    size,
    progress: () => raw.position,
    close,
  };
}
