/** The tree that the members of an archive make, by the rules of the original. */
import { ImageServerError } from '../errors.ts';
import type { DirectoryInode, FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
import { decodeText, encodeText } from '../wire/text.ts';
import type { PathFilter } from './filter.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFREG } from './mode.ts';
import { baseName, cleanPath, parentDirectory } from './paths.ts';
import type { TarMember } from './tar-format.ts';
import { countTree } from './tree.ts';

const NO_HASH = '0'.repeat(128);
/** The agent's own directory on managed machines. */
const SKIPPED = '/.subd';
/** Types of members whose contents become objects. */
const REGULAR = '07';

function invalid(text: string): ImageServerError {
  return new ImageServerError('INVALID_REQUEST', text);
}

/** Linux's st_rdev, as the original makes it for members of archives. */
function deviceNumber({ major, minor }: TarMember): bigint {
  if (minor > 255) throw invalid(`minor device number: ${minor} is too large`);
  return (BigInt(major) << 8n) | BigInt(minor);
}

export class TarTree {
  readonly #inodes = new Map<bigint, GenericInode | null>();
  readonly #directories = new Map<string, DirectoryInode>();
  readonly #numbers = new Map<string, bigint>();
  readonly #root: DirectoryInode = {
    EntryList: [],
    EntriesByName: null,
    Mode: S_IFDIR | 0o755,
    Uid: 0,
    Gid: 0,
  };
  #next = 1n;

  constructor(readonly filter: PathFilter | undefined) {
    this.#directories.set('/', this.#root);
  }

  /** The path of a member inside the image, or undefined if it is left out. */
  pathOf(member: TarMember): string | undefined {
    const path = cleanPath(`/${decodeText(member.name)}`);
    if (path === SKIPPED || path.startsWith(`${SKIPPED}/`)) return undefined;
    return path !== '/' && this.filter?.(path) ? undefined : path;
  }

  /** Whether the contents of a member become an object. */
  hasContents(member: TarMember): boolean {
    return REGULAR.includes(member.type) && member.size > 0;
  }

  /** Adds a member at a path given by `pathOf`; `hash` of its contents, if it has any. Throws INVALID_REQUEST. */
  add(path: string, member: TarMember, hash = NO_HASH): void {
    const owner = { Uid: member.uid, Gid: member.gid };
    if (member.type === '5') {
      const facts = { Mode: S_IFDIR | (member.mode & 0o7777), ...owner };
      const known = this.#directories.get(path);
      if (known) {
        Object.assign(known, facts);
        return;
      }
      const inode = { Kind: 'directory' as const, EntryList: [], EntriesByName: null, ...facts };
      this.#enter(path, this.#number(inode));
      this.#directories.set(path, inode);
      return;
    }
    if (this.#directories.has(path)) throw invalid(`directory and file of one name: ${path}`);
    if (member.type === '1') {
      const target = cleanPath(`/${decodeText(member.link)}`);
      const number = this.#numbers.get(target);
      if (number === undefined) throw invalid(`missing hardlink target: ${target}`);
      this.#enter(path, number);
      return;
    }
    this.#enter(path, this.#number(this.#inode(member, owner, hash)));
  }

  #inode(member: TarMember, owner: { Uid: number; Gid: number }, Hash: string): GenericInode {
    const facts = { ...owner, MtimeNanoSeconds: member.nanoseconds, MtimeSeconds: member.seconds };
    const permissions = member.mode & 0o7777;
    const special = (type: number, Rdev: bigint): GenericInode => ({
      Kind: 'special',
      Mode: type | permissions,
      ...facts,
      Rdev,
    });
    switch (member.type) {
      case '0':
      case '7':
        return { Kind: 'regular', Mode: S_IFREG | permissions, ...facts, Size: BigInt(member.size), Hash };
      case '2':
        return { Kind: 'symlink', ...owner, Symlink: decodeText(member.link) };
      case '3':
        return special(S_IFCHR, deviceNumber(member));
      case '4':
        return special(S_IFBLK, deviceNumber(member));
      case '6':
        return special(S_IFIFO, 0n);
      default:
        throw invalid(`Unsupported file type: ${member.type.charCodeAt(0)}`);
    }
  }

  #number(inode: GenericInode): bigint {
    const number = this.#next++;
    this.#inodes.set(number, inode);
    return number;
  }
  /** A later member of the same name takes the place of the earlier one. */
  #enter(path: string, number: bigint): void {
    const directory = this.#directories.get(parentDirectory(path));
    if (!directory) throw invalid(`No parent directory found for: ${path}`);
    const Name = baseName(path);
    if (this.#numbers.has(path))
      directory.EntryList = directory.EntryList.filter((entry) => entry?.Name !== Name);
    directory.EntryList.push({ Name, InodeNumber: number });
    this.#numbers.set(path, number);
  }

  /** The tree, complete: entries sorted by bytes, nothing in the table that no entry names. */
  finish(): FileSystem {
    const named = new Set<bigint>();
    for (const directory of this.#directories.values()) {
      const keyed = directory.EntryList.map((entry) => ({ entry, key: encodeText(entry?.Name ?? '') }));
      keyed.sort((a, b) => Buffer.compare(a.key, b.key));
      directory.EntryList = keyed.map(({ entry }) => entry);
      for (const entry of directory.EntryList) if (entry) named.add(entry.InodeNumber);
    }
    for (const number of this.#inodes.keys()) if (!named.has(number)) this.#inodes.delete(number);
    return countTree({
      InodeTable: this.#inodes,
      NumRegularInodes: 0n,
      TotalDataBytes: 0n,
      DirectoryCount: 0n,
      DirectoryInode: this.#root,
    });
  }
}
