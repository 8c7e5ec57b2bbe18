/** Unpacks an image into a directory: contents, modes, owners, times, devices and hard links. */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ImageServerError } from '../errors.ts';
import { S_IFMT } from '../image/mode.ts';
import { walkTree } from '../image/tree.ts';
import type { SrpcClient } from '../srpc/client.ts';
import type { FileSystem, InodeOf } from '../wire/messages/filesystem.ts';
import { encodeText } from '../wire/text.ts';
import { downloadObjects } from './objects.ts';
import { makeNode, setTime } from './system-calls.ts';

const WORK = '.inodes';

export interface UnpackOptions {
  /** Keep the present user as owner of everything. */
  readonly noSameOwner: boolean;
  /** Contents of computed files are taken from this tree; without it they are empty. */
  readonly computedFilesRoot: string;
}

const realPath = (directory: string, path: string) =>
  Buffer.concat([Buffer.from(directory), encodeText(path)]);

/** Removes what is in the way of a file, but never a directory. */
function clear(path: Buffer): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat && !stat.isDirectory()) rmSync(path);
}

class Unpacker {
  readonly #work: string;

  constructor(
    readonly client: SrpcClient,
    readonly tree: FileSystem,
    readonly directory: string,
    readonly options: UnpackOptions,
  ) {
    this.#work = join(directory, WORK);
  }

  #file(inode: bigint): string {
    return join(this.#work, String(inode));
  }

  async run(): Promise<void> {
    const { tree, directory } = this;
    if (tree.DirectoryInode.EntryList.some((entry) => entry?.Name === WORK))
      throw new ImageServerError('INVALID_IMAGE', `image has a /${WORK}`);
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
    const { bavail, bsize } = statfsSync(directory);
    if (Number(tree.TotalDataBytes) > bavail * bsize)
      throw new ImageServerError('NO_SPACE', 'image will not fit on file-system');
    mkdirSync(this.#work, { mode: 0o700 });
    try {
      await this.#fetch();
      this.#place();
    } finally {
      rmSync(this.#work, { recursive: true, force: true });
    }
  }

  /** Contents of every regular inode as a file named by its number. */
  async #fetch(): Promise<void> {
    const byHash = new Map<string, { size: number; inodes: bigint[] }>();
    for (const [number, inode] of this.tree.InodeTable ?? []) {
      if (inode?.Kind !== 'regular') continue;
      if (inode.Size === 0n) writeFileSync(this.#file(number), '', { mode: 0o600 });
      else {
        const known = byHash.get(inode.Hash);
        if (known) known.inodes.push(number);
        else byHash.set(inode.Hash, { size: Number(inode.Size), inodes: [number] });
      }
    }
    const objects = [...byHash].map(([hash, { size }]) => ({ hash, size }));
    await downloadObjects(this.client, objects, (hash) => {
      const [first, ...others] = (byHash.get(hash) as { inodes: bigint[] }).inodes.map((number) =>
        this.#file(number),
      );
      const fd = openSync(first as string, 'wx', 0o600);
      return {
        write: (bytes) => {
          for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
        },
        done: () => {
          closeSync(fd);
          for (const other of others) copyFileSync(first as string, other);
        },
      };
    });
  }

  #owner(path: Buffer, inode: { Uid: number; Gid: number }): void {
    if (!this.options.noSameOwner) lchownSync(path, inode.Uid, inode.Gid);
  }

  #place(): void {
    const placed = new Map<bigint, Buffer>();
    const directories: { path: Buffer; mode: number }[] = [];
    for (const { path, inodeNumber, inode } of walkTree(this.tree)) {
      const real = realPath(this.directory, path === '/' ? '' : path);
      if (inode.Kind === 'directory') {
        const present = lstatSync(real, { throwIfNoEntry: false });
        if (present && !present.isDirectory()) rmSync(real);
        if (!present?.isDirectory()) mkdirSync(real, { mode: 0o700 });
        this.#owner(real, inode);
        // A directory may forbid writing: its mode comes last.
        directories.push({ path: real, mode: inode.Mode & 0o7777 });
        continue;
      }
      clear(real);
      const first = placed.get(inodeNumber);
      if (first) {
        linkSync(first, real);
        continue;
      }
      placed.set(inodeNumber, real);
      if (inode.Kind === 'symlink') {
        symlinkSync(Buffer.from(encodeText(inode.Symlink)), real);
        this.#owner(real, inode);
      } else if (inode.Kind === 'special') this.#special(real, inode);
      else if (inode.Kind === 'computed') this.#computed(real, path, inode);
      else {
        linkSync(this.#file(inodeNumber), real);
        this.#finish(real, inode);
      }
    }
    for (const { path, mode } of directories.reverse()) chmodSync(path, mode);
  }

  #special(real: Buffer, inode: InodeOf<'special'>): void {
    makeNode(real, (inode.Mode & S_IFMT) | 0o600, inode.Rdev);
    this.#finish(real, inode);
  }

  #computed(real: Buffer, path: string, inode: InodeOf<'computed'>): void {
    const { computedFilesRoot } = this.options;
    if (computedFilesRoot) {
      const source = realPath(computedFilesRoot, path);
      if (!existsSync(source)) throw new ImageServerError('FILE_NOT_FOUND', `missing computed file: ${path}`);
      copyFileSync(source, real);
    } else writeFileSync(real, '');
    this.#finish(real, { ...inode, MtimeSeconds: 0n, MtimeNanoSeconds: 0 });
  }

  /** Owner first: changing it clears setuid bits; the time last. */
  #finish(
    real: Buffer,
    inode: { Mode: number; Uid: number; Gid: number; MtimeSeconds: bigint; MtimeNanoSeconds: number },
  ): void {
    this.#owner(real, inode);
    chmodSync(real, inode.Mode & 0o7777);
    setTime(real, inode.MtimeSeconds, inode.MtimeNanoSeconds);
  }
}

/** Unpacks; adds `var/lib/initial-image` with the image's name. */
export async function unpackImage(
  client: SrpcClient,
  name: string,
  tree: FileSystem,
  directory: string,
  options: UnpackOptions,
): Promise<void> {
  await new Unpacker(client, tree, directory, options).run();
  const marker = join(directory, 'var', 'lib', 'initial-image');
  mkdirSync(dirname(marker), { recursive: true });
  writeFileSync(marker, `${name}\n`);
}
