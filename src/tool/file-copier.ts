/** Copies files and directories into another directory, with owners, modes and times, each complete when it appears. */
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { ImageServerError } from '../errors.ts';
import { encodeText } from '../wire/text.ts';
import type { Context } from './command.ts';
import { piecesOf, withRegularFile, writeAll } from './copy-file.ts';
import { splitTime } from './scan-directory.ts';
import { setFileTime, setTime } from './system-calls.ts';
import type { FoundFile } from './walk-directory.ts';

/** A file that is being written, in the directory where it will be. */
const TEMPORARY = '/.imagetool-copy~';
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const PERMISSIONS = 0o777;
/** Set-user-id, set-group-id, sticky. */
const SPECIAL_BITS = 0o7000n;

const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

export class FileCopier {
  /** The directory, to know it again. */
  readonly stat: BigIntStats;
  /** Directories that are there, and what those are to be that were copied. */
  readonly #directories = new Map<string, BigIntStats | undefined>();
  readonly #task;

  /** Throws unless the directory is there. */
  constructor(
    readonly context: Context,
    readonly destination: string,
  ) {
    this.stat = statSync(destination, { bigint: true });
    if (!this.stat.isDirectory())
      throw new ImageServerError('INVALID_REQUEST', `${destination}: not a directory`);
    this.#directories.set('', undefined);
    this.#task = context.progress.start('copying');
  }

  #real(path: string): Buffer {
    return Buffer.concat([Buffer.from(this.destination), encodeText(path)]);
  }

  /** Copies a directory, without what is in it, or a regular file; `root` is the directory it was found in. */
  async copy({ path, real, stat }: FoundFile, root: Buffer): Promise<void> {
    if (stat.isDirectory()) {
      this.#parents(path, root);
      this.#directory(path);
      this.#directories.set(path, stat);
      return;
    }
    // What gives rights to whoever runs it is not copied, as in the original.
    const copied =
      stat.isFile() &&
      (stat.mode & SPECIAL_BITS) === 0n &&
      (await withRegularFile(real, (fd, now) => {
        this.#parents(path, root);
        return this.#file(fd, path, now);
      }));
    if (!copied) this.context.debug(0, `not copied: ${path}`);
  }

  /** Makes the directories above a path that are missing, like those they are copies of. */
  #parents(path: string, root: Buffer): void {
    const parent = parentOf(path);
    if (this.#directories.has(parent)) return;
    this.#parents(parent, root);
    const made = this.#directory(parent);
    const source = Buffer.concat([root, encodeText(parent)]);
    this.#directories.set(parent, made ? lstatSync(source, { bigint: true }) : undefined);
  }

  /** Whether it had to be made. A symbolic link is no directory: nothing is written elsewhere. */
  #directory(path: string): boolean {
    const real = this.#real(path);
    const present = lstatSync(real, { throwIfNoEntry: false });
    if (present && !present.isDirectory())
      throw new ImageServerError('CONFLICT', `${this.destination}${path}: not a directory`);
    if (!present) mkdirSync(real, { mode: 0o700 });
    return !present;
  }

  async #file(source: number, path: string, stat: BigIntStats): Promise<void> {
    const real = this.#real(path);
    const temporary = this.#real(`${parentOf(path)}${TEMPORARY}`);
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, NEW_FILE, 0o600);
    const remove = this.context.cleanUp(() => rmSync(temporary, { force: true }));
    try {
      for await (const piece of piecesOf(source)) {
        writeAll(fd, piece);
        this.#task.add(piece.length);
      }
      fchownSync(fd, Number(stat.uid), Number(stat.gid));
      fchmodSync(fd, Number(stat.mode) & PERMISSIONS);
      const { MtimeSeconds, MtimeNanoSeconds } = splitTime(stat.mtimeNs);
      setFileTime(fd, temporary, MtimeSeconds, MtimeNanoSeconds);
      renameSync(temporary, real);
    } finally {
      closeSync(fd);
      remove();
    }
  }

  /** Directories get their owners, modes and times when everything is in them. */
  finish(): void {
    for (const [path, stat] of [...this.#directories].reverse()) {
      if (!stat) continue;
      const real = this.#real(path);
      lchownSync(real, Number(stat.uid), Number(stat.gid));
      chmodSync(real, Number(stat.mode) & 0o7777);
      const { MtimeSeconds, MtimeNanoSeconds } = splitTime(stat.mtimeNs);
      setTime(real, MtimeSeconds, MtimeNanoSeconds);
    }
    this.#task.end();
  }
}
