/**
 * Unpacks an image into a directory: contents, modes, owners, times, devices, hard links. Files are completed in a
 * temporary directory beside and moved to their places; nothing is ever written through a symbolic link.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { S_IFMT } from '../image/mode.ts';
import { checkEntryNames, walkTree } from '../image/tree.ts';
import type { FileSystem, InodeOf } from '../wire/messages/filesystem.ts';
import { encodeText } from '../wire/text.ts';
import type { Context } from './command.ts';
import { downloadObjects, type ObjectSink } from './download.ts';
import { makeNode, setFileTime, setTime } from './system-calls.ts';

const WORK = '.inodes';
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

type Facts = Pick<InodeOf<'regular'>, 'Mode' | 'Uid' | 'Gid' | 'MtimeSeconds' | 'MtimeNanoSeconds'>;

class Unpacker {
  readonly #work: Buffer;
  readonly #sameOwner: boolean;

  constructor(
    readonly context: Context,
    readonly tree: FileSystem,
    readonly directory: string,
  ) {
    this.#work = Buffer.from(join(directory, WORK));
    this.#sameOwner = !context.flags.noSameOwner;
  }

  #file(inode: bigint): Buffer {
    return Buffer.concat([this.#work, Buffer.from(`/${inode}`)]);
  }
  #real(path: string): Buffer {
    return Buffer.concat([Buffer.from(this.directory), encodeText(path === '/' ? '' : path)]);
  }

  /** Where the contents of a computed file are; undefined if it is to be empty. */
  #computedSource(path: string): Buffer | undefined {
    const { computedFilesRoot } = this.context.flags;
    return computedFilesRoot ? Buffer.concat([Buffer.from(computedFilesRoot), encodeText(path)]) : undefined;
  }
  #checkComputed(): void {
    if (!this.context.flags.computedFilesRoot) return;
    for (const { path, inode } of walkTree(this.tree)) {
      if (inode.Kind !== 'computed' || existsSync(this.#computedSource(path) as Buffer)) continue;
      throw new ImageServerError('FILE_NOT_FOUND', `missing computed file: ${path}`);
    }
  }

  async run(): Promise<void> {
    const { tree, directory, context } = this;
    checkEntryNames(tree);
    this.#checkComputed();
    if (tree.DirectoryInode.EntryList.some((entry) => entry?.Name === WORK))
      throw new ImageServerError('INVALID_IMAGE', `image contains /${WORK}`);
    if (existsSync(directory)) clearLeftOver(this.#work);
    else mkdirParentless(directory, String(this.#work));
    const { bavail, bsize } = statfsSync(directory);
    if (Number(tree.TotalDataBytes) > bavail * bsize)
      throw new ImageServerError('NO_SPACE', 'image will not fit on file-system');
    mkdirSync(this.#work, { mode: 0o700 });
    const remove = context.cleanUp(() => rmSync(this.#work, { recursive: true, force: true }));
    try {
      await this.#fetch();
      this.#place();
    } finally {
      remove();
    }
  }

  /** Every regular inode, complete, as a file named by its number. */
  async #fetch(): Promise<void> {
    const byHash = new Map<string, { size: number; inodes: [bigint, Facts][] }>();
    for (const [number, inode] of this.tree.InodeTable ?? []) {
      if (inode?.Kind !== 'regular') continue;
      if (inode.Size === 0n) {
        this.#finish(openSync(this.#file(number), NEW_FILE, 0o600), this.#file(number), inode);
        continue;
      }
      const known = byHash.get(inode.Hash);
      if (known) known.inodes.push([number, inode]);
      else byHash.set(inode.Hash, { size: Number(inode.Size), inodes: [[number, inode]] });
    }
    const objects = [...byHash].map(([hash, { size }]) => ({ hash, size }));
    await downloadObjects(
      await this.context.client(),
      objects,
      ({ hash }) => this.#sink((byHash.get(hash) as { inodes: [bigint, Facts][] }).inodes),
      this.context.progress,
    );
  }

  #sink(inodes: readonly [bigint, Facts][]): ObjectSink {
    const [[number, inode], ...others] = inodes as [[bigint, Facts], ...[bigint, Facts][]];
    const file = this.#file(number);
    const fd = openSync(file, NEW_FILE, 0o600);
    let open = true;
    return {
      // Files get their places when all are here.
      early: true,
      write(bytes) {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      },
      done: () => {
        for (const [other, facts] of others) {
          const copy = this.#file(other);
          copyFileSync(file, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
          this.#finish(openSync(copy, constants.O_WRONLY | constants.O_NOFOLLOW), copy, facts);
        }
        open = false;
        this.#finish(fd, file, inode);
      },
      failed() {
        if (open) closeSync(fd);
      },
    };
  }

  /** Owner first: changing it clears setuid bits; the time last. Closes the file. */
  #finish(fd: number, file: Buffer, inode: Facts): void {
    try {
      // By the name, so that a refusal names it.
      if (this.#sameOwner && process.getuid?.() !== 0) lchownSync(file, inode.Uid, inode.Gid);
      else if (this.#sameOwner) fchownSync(fd, inode.Uid, inode.Gid);
      fchmodSync(fd, inode.Mode & 0o7777);
      setFileTime(fd, file, inode.MtimeSeconds, inode.MtimeNanoSeconds);
    } finally {
      closeSync(fd);
    }
  }

  #place(): void {
    const placed = new Map<bigint, Buffer>();
    const directories: { path: Buffer; inode: { Mode: number; Uid: number; Gid: number } }[] = [];
    for (const { path, inodeNumber, inode } of walkTree(this.tree)) {
      const real = this.#real(path);
      if (inode.Kind === 'directory') {
        this.#directory(real, path === '/');
        directories.push({ path: real, inode });
        continue;
      }
      const first = placed.get(inodeNumber);
      if (first) {
        clear(real);
        linkSync(first, real);
        continue;
      }
      placed.set(inodeNumber, real);
      if (inode.Kind === 'regular') {
        // Moving replaces a file that is there, whatever it is; a directory stays and is an error.
        renameSync(this.#file(inodeNumber), real);
        continue;
      }
      clear(real);
      if (inode.Kind === 'symlink') {
        symlinkSync(Buffer.from(encodeText(inode.Symlink)), real);
        if (this.#sameOwner) lchownSync(real, inode.Uid, inode.Gid);
      } else if (inode.Kind === 'special') this.#special(real, inode);
      else this.#computed(real, path, inode);
    }
    // A directory may forbid writing: its owner and mode come when everything is in it.
    for (const { path, inode } of directories.reverse()) {
      if (this.#sameOwner) lchownSync(path, inode.Uid, inode.Gid);
      chmodSync(path, inode.Mode & 0o7777);
    }
  }

  /** Only the root may be given by a symbolic link; below it one is replaced by a directory. */
  #directory(real: Buffer, isRoot: boolean): void {
    if (isRoot) return;
    const present = lstatSync(real, { throwIfNoEntry: false });
    if (present?.isDirectory()) return;
    if (present) unlinkSync(real);
    mkdirSync(real, { mode: 0o700 });
  }

  #special(real: Buffer, inode: InodeOf<'special'>): void {
    makeNode(real, (inode.Mode & S_IFMT) | 0o600, inode.Rdev);
    if (this.#sameOwner) lchownSync(real, inode.Uid, inode.Gid);
    chmodSync(real, inode.Mode & 0o7777);
    setTime(real, inode.MtimeSeconds, inode.MtimeNanoSeconds);
  }

  #computed(real: Buffer, path: string, inode: InodeOf<'computed'>): void {
    const source = this.#computedSource(path);
    if (source) copyFileSync(source, real, constants.COPYFILE_EXCL);
    else closeSync(openSync(real, NEW_FILE, 0o600));
    const fd = openSync(real, constants.O_WRONLY | constants.O_NOFOLLOW);
    const MtimeSeconds = source ? BigInt(Math.floor(Date.now() / 1000)) : 0n;
    this.#finish(fd, real, { ...inode, MtimeSeconds, MtimeNanoSeconds: 0 });
  }
}

/** Removes what is in the way of a file, but never a directory. */
function clear(path: Buffer): void {
  if (lstatSync(path, { throwIfNoEntry: false })) unlinkSync(path);
}

/** What an earlier run that was killed left behind. */
function clearLeftOver(work: Buffer): void {
  if (lstatSync(work, { throwIfNoEntry: false })?.isDirectory()) rmSync(work, { recursive: true });
}

/** The original names the work directory when the parent is missing. */
function mkdirParentless(directory: string, work: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') (error as NodeJS.ErrnoException).path = work;
    throw error;
  }
}

/** Writes the name of the image where machines look for it. Leaves it where a symbolic link would lead elsewhere. */
function writeMarker(context: Context, directory: string, name: string): void {
  let path = directory;
  for (const part of ['var', 'lib']) {
    path = join(path, part);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat) mkdirSync(path, { mode: 0o755 });
    else if (!stat.isDirectory()) {
      context.io.say(`Not writing ${directory}/var/lib/initial-image: ${path} is not a directory`);
      return;
    }
  }
  const marker = join(path, 'initial-image');
  clear(Buffer.from(marker));
  writeFileSync(marker, `${name}\n`, { flag: 'wx', mode: 0o644 });
}

/** Unpacks; adds `var/lib/initial-image` with the image's name. */
export async function unpackImage(
  context: Context,
  name: string,
  tree: FileSystem,
  directory: string,
): Promise<void> {
  await new Unpacker(context, tree, directory).run();
  writeMarker(context, directory, name);
}
