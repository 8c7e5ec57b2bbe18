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
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { checkEntryNames, walkTree } from '../image/tree.ts';
import type { FileSystem, InodeOf } from '../wire/messages/filesystem.ts';
import { encodeText } from '../wire/text.ts';
import type { Context } from './command.ts';
import { StagedFiles } from './staged-files.ts';
import { clear, clearLeftOver, writeMarker } from './target-directory.ts';

const WORK = '.inodes';
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

class Unpacker {
  readonly #work: Buffer;
  readonly #sameOwner: boolean;
  readonly #files: StagedFiles;

  constructor(
    readonly context: Context,
    readonly tree: FileSystem,
    readonly directory: string,
  ) {
    this.#work = Buffer.from(join(directory, WORK));
    this.#sameOwner = !context.flags.noSameOwner;
    this.#files = new StagedFiles(context, this.#work, this.#sameOwner);
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
      for (const [number, inode] of tree.InodeTable ?? [])
        if (inode?.Kind === 'regular') this.#files.add(number, inode);
      await this.#files.fetch();
      this.#place();
    } finally {
      remove();
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
        renameSync(this.#files.file(inodeNumber), real);
        continue;
      }
      clear(real);
      if (inode.Kind === 'symlink') this.#files.symlink(real, inode);
      else if (inode.Kind === 'special') this.#files.special(real, inode);
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

  #computed(real: Buffer, path: string, inode: InodeOf<'computed'>): void {
    const source = this.#computedSource(path);
    if (source) copyFileSync(source, real, constants.COPYFILE_EXCL);
    else closeSync(openSync(real, NEW_FILE, 0o600));
    const fd = openSync(real, constants.O_WRONLY | constants.O_NOFOLLOW);
    const MtimeSeconds = source ? BigInt(Math.floor(Date.now() / 1000)) : 0n;
    this.#files.finish(fd, real, { ...inode, MtimeSeconds, MtimeNanoSeconds: 0 });
  }
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

/** Unpacks; adds `var/lib/initial-image` with the image's name. */
export async function unpackImage(
  context: Context,
  name: string,
  tree: FileSystem,
  directory: string,
): Promise<void> {
  await new Unpacker(context, tree, directory).run();
  writeMarker(context, directory, 'initial-image', name);
}
