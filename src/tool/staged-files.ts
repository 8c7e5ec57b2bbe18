/** The regular files of an image, each complete with owner, mode and time, beside the place where they will be. */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  lchownSync,
  openSync,
  symlinkSync,
} from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { S_IFMT } from '../image/mode.ts';
import { makeSha512 } from '../sha512.ts';
import type { InodeOf } from '../wire/messages/filesystem.ts';
import { encodeText } from '../wire/text.ts';
import type { Context } from './command.ts';
import { piecesOf, withRegularFile, writeAll } from './copy-file.ts';
import { downloadObjects, type ObjectSink, type WantedObject } from './download.ts';
import { makeNode, setFileTime, setTime } from './system-calls.ts';

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export type Facts = Pick<InodeOf<'regular'>, 'Mode' | 'Uid' | 'Gid' | 'MtimeSeconds' | 'MtimeNanoSeconds'>;

/** A file of this machine that should have the contents of an object. */
export type LocalSource = (hash: string) => Buffer | undefined;

/** A directory of files that are named by the numbers of their inodes. */
export class StagedFiles {
  readonly #byHash = new Map<string, { size: number; inodes: [bigint, Facts][] }>();

  constructor(
    readonly context: Context,
    readonly directory: Buffer,
    readonly sameOwner: boolean,
  ) {}

  /** Where the file of an inode is. */
  file(inode: bigint): Buffer {
    return Buffer.concat([this.directory, Buffer.from(`/${inode}`)]);
  }

  /** An empty file is made now, others are wanted. */
  add(number: bigint, inode: InodeOf<'regular'>): void {
    if (inode.Size === 0n) {
      this.finish(openSync(this.file(number), NEW_FILE, 0o600), this.file(number), inode);
      return;
    }
    const known = this.#byHash.get(inode.Hash);
    if (known) known.inodes.push([number, inode]);
    else this.#byHash.set(inode.Hash, { size: Number(inode.Size), inodes: [[number, inode]] });
  }

  /** What is wanted and not to be had on this machine. */
  wanted(local: LocalSource = () => undefined): WantedObject[] {
    return [...this.#byHash]
      .filter(([hash]) => local(hash) === undefined)
      .map(([hash, { size }]) => ({ hash, size }));
  }

  /** Makes all files that are wanted; `local` has those contents that need not come from the server. */
  async fetch(local: LocalSource = () => undefined): Promise<void> {
    for (const [hash, { inodes }] of this.#byHash) {
      const source = local(hash);
      if (source) await copyVerified(source, hash, this.#sink(inodes));
    }
    await downloadObjects(
      await this.context.client(),
      this.wanted(local),
      ({ hash }) => this.#sink((this.#byHash.get(hash) as { inodes: [bigint, Facts][] }).inodes),
      this.context.progress,
    );
  }

  #sink(inodes: readonly [bigint, Facts][]): ObjectSink {
    const [[number, inode], ...others] = inodes as [[bigint, Facts], ...[bigint, Facts][]];
    const file = this.file(number);
    const fd = openSync(file, NEW_FILE, 0o600);
    let open = true;
    return {
      // Files get their places when all are here.
      early: true,
      write: (bytes) => writeAll(fd, bytes),
      done: () => {
        for (const [other, facts] of others) {
          const copy = this.file(other);
          copyFileSync(file, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
          this.finish(openSync(copy, constants.O_WRONLY | constants.O_NOFOLLOW), copy, facts);
        }
        open = false;
        this.finish(fd, file, inode);
      },
      failed() {
        if (open) closeSync(fd);
      },
    };
  }

  /** Makes a symbolic link. */
  symlink(path: Buffer, { Symlink, Uid, Gid }: InodeOf<'symlink'>): void {
    symlinkSync(Buffer.from(encodeText(Symlink)), path);
    if (this.sameOwner) lchownSync(path, Uid, Gid);
  }
  /** Makes a device or fifo. */
  special(path: Buffer, inode: InodeOf<'special'>): void {
    makeNode(path, (inode.Mode & S_IFMT) | 0o600, inode.Rdev);
    if (this.sameOwner) lchownSync(path, inode.Uid, inode.Gid);
    chmodSync(path, inode.Mode & 0o7777);
    setTime(path, inode.MtimeSeconds, inode.MtimeNanoSeconds);
  }

  /** Owner first: changing it clears setuid bits; the time last. Closes the file. */
  finish(fd: number, file: Buffer, inode: Facts): void {
    try {
      // By the name, so that a refusal names it.
      if (this.sameOwner && process.getuid?.() !== 0) lchownSync(file, inode.Uid, inode.Gid);
      else if (this.sameOwner) fchownSync(fd, inode.Uid, inode.Gid);
      fchmodSync(fd, inode.Mode & 0o7777);
      setFileTime(fd, file, inode.MtimeSeconds, inode.MtimeNanoSeconds);
    } finally {
      closeSync(fd);
    }
  }
}

/** Throws CONFLICT if the file does not have the contents that it should have. */
async function copyVerified(source: Buffer, hash: string, sink: ObjectSink): Promise<void> {
  const hasher = makeSha512();
  try {
    await withRegularFile(source, async (fd) => {
      for await (const piece of piecesOf(fd)) {
        hasher.update(piece);
        await sink.write(piece);
      }
    });
    if (hasher.digest().toString('hex') !== hash)
      throw new ImageServerError('CONFLICT', `${source}: file changed while it was read`);
    await sink.done();
  } catch (error) {
    sink.failed?.();
    throw error;
  }
}
