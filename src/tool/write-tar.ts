/** Writes an image as a tar archive, its objects verified on the way. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { BLOCK, formatHeader, padding } from '../image/tar-format.ts';
import { type ArchiveMember, HARD_LINK, tarMembers } from '../image/tar-members.ts';
import { checkEntryNames, walkTree } from '../image/tree.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import { encodeText } from '../wire/text.ts';
import type { Context } from './command.ts';
import { downloadObjects } from './download.ts';

type Sink = (bytes: Uint8Array) => void | Promise<void>;

const GATHER = 256 * 1024;
const PIECE = 1024 * 1024;

/** Gathers small pieces, so that the sink gets few big ones; they are its own only until it resolves. */
class Gatherer {
  readonly #buffer = Buffer.allocUnsafe(GATHER);
  #filled = 0;
  constructor(readonly sink: Sink) {}

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.#filled + bytes.length <= GATHER) return this.#keep(bytes);
    const flushing = this.flush();
    return flushing ? flushing.then(() => this.#begin(bytes)) : this.#begin(bytes);
  }
  #begin(bytes: Uint8Array): void | Promise<void> {
    return bytes.length > GATHER / 2 ? this.sink(bytes) : this.#keep(bytes);
  }
  #keep(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }
  flush(): void | Promise<void> {
    if (this.#filled === 0) return;
    const part = this.#buffer.subarray(0, this.#filled);
    this.#filled = 0;
    return this.sink(part);
  }
}

/** Streams the archive to `sink`; computed files are empty unless -computedFilesRoot has them. */
export async function writeTar(context: Context, tree: FileSystem, sink: Sink): Promise<void> {
  checkEntryNames(tree);
  const out = new Gatherer(sink);
  const members = tarMembers(tree);
  /** Writes members until one whose contents come from the server, or the end. */
  const untilObject = (): void | Promise<void> => {
    for (;;) {
      const { done, value } = members.next();
      if (done) return;
      const computed = value.inode.Kind === 'computed' && value.member.type !== HARD_LINK;
      const writing = computed
        ? writeComputed(context.flags.computedFilesRoot, value, out)
        : out.write(formatHeader(value.member));
      const found = !computed && value.member.size > 0;
      if (writing) return found ? writing : writing.then(untilObject);
      if (found) return;
    }
  };
  const objects: { hash: string; size: number }[] = [];
  const seen = new Set<bigint>();
  for (const { inode, inodeNumber } of walkTree(tree)) {
    if (inode.Kind !== 'regular' || inode.Size === 0n || seen.has(inodeNumber)) continue;
    seen.add(inodeNumber);
    objects.push({ hash: inode.Hash, size: Number(inode.Size) });
  }
  await untilObject();
  await downloadObjects(
    await context.client(),
    objects,
    ({ size }) => ({
      early: true,
      write: (bytes) => out.write(bytes),
      done() {
        const padded = out.write(padding(size));
        return padded ? padded.then(untilObject) : untilObject();
      },
    }),
    context.progress,
  );
  await out.write(Buffer.alloc(2 * BLOCK));
  await out.flush();
}

async function writeComputed(root: string, { path, member }: ArchiveMember, out: Gatherer): Promise<void> {
  if (root === '') {
    await out.write(formatHeader(member));
    return;
  }
  let fd: number;
  try {
    fd = openSync(Buffer.concat([Buffer.from(root), encodeText(path)]), 'r');
  } catch (cause) {
    throw new ImageServerError('FILE_NOT_FOUND', `missing computed file: ${path}`, { cause });
  }
  try {
    const { size } = fstatSync(fd);
    const seconds = BigInt(Math.floor(Date.now() / 1000));
    await out.write(formatHeader({ ...member, size, seconds }));
    const piece = Buffer.allocUnsafe(PIECE);
    for (let at = 0; at < size; ) {
      const read = readSync(fd, piece, 0, Math.min(PIECE, size - at), at);
      if (read === 0) throw new ImageServerError('CONFLICT', `${path}: file changed while it was read`);
      await out.write(piece.subarray(0, read));
      at += read;
    }
    await out.write(padding(size));
  } finally {
    closeSync(fd);
  }
}
