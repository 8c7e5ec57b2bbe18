/** Carries out a patch whose new files are ready. */
import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { ImageServerError } from '../errors.ts';
import type { PathFilter } from '../image/filter.ts';
import { modeText } from '../image/mode.ts';
import type { Patch } from '../image/patch.ts';
import { decodeText, encodeText } from '../wire/text.ts';
import type { Context } from './command.ts';
import { toolError } from './errors.ts';
import type { StagedFiles } from './staged-files.ts';
import { setTime } from './system-calls.ts';

interface Target {
  readonly root: string;
  /** What people call it. */
  readonly shown: string;
  readonly files: StagedFiles;
  readonly filter: PathFilter | undefined;
}

type Change = Patch['changes'][number];
type NewInode = Patch['inodes'][number];

export class PatchApplier {
  #failures = 0;
  #last: ImageServerError | undefined;

  constructor(
    readonly context: Context,
    readonly target: Target,
  ) {}

  #real(path: string): Buffer {
    return Buffer.concat([Buffer.from(this.target.root), encodeText(path === '/' ? '' : path)]);
  }
  #shown(path: string): string {
    const directory = this.target.shown.replace(/\/+$/, '');
    return path === '/' ? directory || '/' : `${directory}${path}`;
  }

  /** Makes every change that can be made. Throws CONFLICT at the end if some could not. */
  apply({ directories, inodes, links, deletions, changes }: Patch): void {
    for (const { path, inode } of directories)
      this.#attempt([path], () => {
        const real = this.#real(path);
        const present = lstatSync(real, { throwIfNoEntry: false });
        if (present && !present.isDirectory()) unlinkSync(real);
        if (!present?.isDirectory()) mkdirSync(real, { mode: 0o700 });
        setMetadata(real, inode);
        return `Made directory: ${this.#shown(path)} (mode=${modeText(inode.Mode)})`;
      });
    for (const one of inodes) this.#attempt([one.path], () => this.#makeInode(one));
    for (const { path, target } of links)
      this.#attempt([path, target], () => {
        const temporary = this.#temporary();
        linkSync(this.#real(target), temporary);
        this.#replace(temporary, path);
        return `Linked: ${this.#shown(path)} => ${this.#shown(target)}`;
      });
    for (const path of deletions)
      this.#attempt([path], () => {
        const gone = removeTree(this.#real(path), path, this.target.filter);
        return `Deleted: ${this.#shown(path)}${gone ? '' : ', but what the filter leaves alone'}`;
      });
    for (const { path, inode } of changes)
      this.#attempt([path], () => {
        setMetadata(this.#real(path), inode);
        return `Changed inode: ${this.#shown(path)}`;
      });
    if (!this.#last) return;
    const count = this.#failures === 1 ? 'one change' : `${this.#failures} changes`;
    throw new ImageServerError(this.#last.code, `${count} could not be made, all others were`, {
      cause: this.#last,
    });
  }

  /** One change, which says what it did. What is in its way because it is immutable is made mutable. */
  #attempt(paths: readonly string[], change: () => string): void {
    try {
      this.context.io.say(this.#forced(paths, change));
    } catch (thrown) {
      const error = toolError(thrown);
      this.#failures++;
      this.#last = error;
      this.context.io.say(error.message.replaceAll(this.target.root, this.#shown('/')));
    }
  }
  #forced(paths: readonly string[], change: () => string): string {
    try {
      return change();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPERM' || !Bun.which('chattr')) throw error;
      for (const path of paths) Bun.spawnSync(['chattr', '-R', '-ai', this.#real(path).toString()]);
      return change();
    }
  }

  /** A free name beside the new files. */
  #temporary(): Buffer {
    const path = Buffer.concat([this.target.files.directory, Buffer.from('/new')]);
    rmSync(path, { force: true });
    return path;
  }

  #makeInode({ path, number, inode }: NewInode): string {
    const { files } = this.target;
    const shown = this.#shown(path);
    if (inode.Kind === 'regular') {
      this.#replace(files.file(number), path);
      return inode.Size > 0n ? `Made inode: ${shown} from: ${inode.Hash}` : `Made empty inode: ${shown}`;
    }
    const temporary = this.#temporary();
    if (inode.Kind === 'symlink') files.symlink(temporary, inode);
    else files.special(temporary, inode);
    this.#replace(temporary, path);
    return inode.Kind === 'symlink'
      ? `Made symlink inode: ${shown} -> ${inode.Symlink}`
      : `Made special inode: ${shown}`;
  }

  /** Moves something to its place, whatever is there. */
  #replace(from: Buffer, path: string): void {
    const real = this.#real(path);
    if (lstatSync(real, { throwIfNoEntry: false })?.isDirectory()) removeTree(real, path, undefined);
    renameSync(from, real);
  }
}

/** Owner first: changing it clears setuid bits; the time last. */
function setMetadata(real: Buffer, inode: Change['inode']): void {
  lchownSync(real, inode.Uid, inode.Gid);
  if (inode.Kind === 'symlink') return;
  chmodSync(real, inode.Mode & 0o7777);
  if (inode.Kind !== 'directory') setTime(real, inode.MtimeSeconds, inode.MtimeNanoSeconds);
}

/** Removes a path with all that is below, but not what the filter matches. Whether nothing is left. */
function removeTree(real: Buffer, path: string, filter: PathFilter | undefined): boolean {
  if (filter?.(path)) return false;
  if (!lstatSync(real).isDirectory()) {
    unlinkSync(real);
    return true;
  }
  let gone = true;
  for (const name of readdirSync(real, { encoding: 'buffer' })) {
    const below = Buffer.concat([real, Buffer.from('/'), name]);
    if (!removeTree(below, `${path}/${decodeText(name)}`, filter)) gone = false;
  }
  if (gone) rmdirSync(real);
  return gone;
}
