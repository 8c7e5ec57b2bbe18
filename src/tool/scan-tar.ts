/** A tar archive (plain or gzip, by its name or from stdin) as an image's file-system. */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ImageServerError } from '../errors.ts';
import type { PathFilter } from '../image/filter.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFREG } from '../image/mode.ts';
import { baseName, cleanPath, parentDirectory } from '../image/paths.ts';
import { applyPax, BLOCK, parseHeader, parsePax, type TarMember } from '../image/tar-format.ts';
import type { DirectoryInode, FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
import { decodeText, encodeText } from '../wire/text.ts';
import { type Content, hashRange } from './content.ts';
import { Progress } from './progress.ts';
import type { ScannedTree } from './scan-directory.ts';

const NO_HASH = '0'.repeat(128);
const MAX_EXTENSION = 1024 * 1024;

function invalid(text: string): ImageServerError {
  return new ImageServerError('INVALID_REQUEST', text);
}

/** A plain tar file: the source itself, or what was unpacked from it. */
async function plainFile(source: string): Promise<{ file: string; remove: () => void }> {
  if (source.endsWith('.tar')) return { file: source, remove: () => undefined };
  const gzip = source.endsWith('.tar.gz') || source.endsWith('.tgz');
  if (!gzip && source !== '-') throw invalid('error building image: unrecognised image type');
  const directory = mkdtempSync(join(tmpdir(), 'imagetool-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const file = join(directory, 'archive.tar');
  try {
    if (gzip) await pipeline(createReadStream(source), createGunzip(), createWriteStream(file));
    else await pipeline(process.stdin, createWriteStream(file));
  } catch (cause) {
    remove();
    throw new ImageServerError('INVALID_REQUEST', `error building image: ${(cause as Error).message}`, {
      cause,
    });
  }
  return { file, remove };
}

/** Linux's st_rdev of a device. */
function deviceNumber(member: TarMember): bigint {
  if (member.minor > 255) throw invalid(`minor device number: ${member.minor} is too large`);
  return (BigInt(member.major) << 8n) | BigInt(member.minor);
}

class TarScanner {
  readonly inodes = new Map<bigint, GenericInode | null>();
  readonly contents = new Map<string, Content>();
  readonly #directories = new Map<string, DirectoryInode>();
  readonly #numbers = new Map<string, bigint>();
  readonly progress = new Progress('scanning');
  #next = 1n;
  regular = 0n;
  bytes = 0n;
  root: DirectoryInode = { EntryList: [], EntriesByName: null, Mode: S_IFDIR | 0o755, Uid: 0, Gid: 0 };

  constructor(
    readonly file: string,
    readonly fd: number,
    readonly filter: PathFilter | undefined,
  ) {
    this.#directories.set('/', this.root);
  }

  add(member: TarMember, offset: number): void {
    const path = cleanPath(`/${decodeText(member.name)}`);
    if (path.startsWith('/.subd') || (path !== '/' && this.filter?.(path))) return;
    const owner = { Uid: member.uid, Gid: member.gid };
    const mode = member.mode & 0o7777;
    if (member.type === '5') {
      const known = this.#directories.get(path);
      if (known) {
        Object.assign(known, { Mode: S_IFDIR | mode, ...owner });
        return;
      }
      const inode = {
        Kind: 'directory' as const,
        EntryList: [],
        EntriesByName: null,
        Mode: S_IFDIR | mode,
        ...owner,
      };
      this.#enter(path, this.#number(path, inode));
      this.#directories.set(path, inode);
      return;
    }
    const times = { MtimeNanoSeconds: member.nanoseconds, MtimeSeconds: member.seconds };
    if (member.type === '1') {
      const target = cleanPath(`/${decodeText(member.link)}`);
      const number = this.#numbers.get(target);
      if (number === undefined) throw invalid(`error building image: missing hardlink target: ${target}`);
      this.#numbers.set(path, number);
      this.#enter(path, number);
      return;
    }
    this.#enter(path, this.#number(path, this.#inode(member, mode, owner, times, offset)));
  }

  #inode(
    member: TarMember,
    mode: number,
    owner: { Uid: number; Gid: number },
    times: { MtimeNanoSeconds: number; MtimeSeconds: bigint },
    offset: number,
  ): GenericInode {
    switch (member.type) {
      case '0':
      case '7': {
        this.regular++;
        this.bytes += BigInt(member.size);
        let Hash = NO_HASH;
        if (member.size > 0) {
          Hash = hashRange(this.fd, offset, member.size, (bytes) => this.progress.add(bytes));
          if (!this.contents.has(Hash))
            this.contents.set(Hash, { file: this.file, offset, size: member.size, hash: Hash });
        }
        return { Kind: 'regular', Mode: S_IFREG | mode, ...owner, ...times, Size: BigInt(member.size), Hash };
      }
      case '2':
        return { Kind: 'symlink', ...owner, Symlink: decodeText(member.link) };
      case '3':
        return { Kind: 'special', Mode: S_IFCHR | mode, ...owner, ...times, Rdev: deviceNumber(member) };
      case '4':
        return { Kind: 'special', Mode: S_IFBLK | mode, ...owner, ...times, Rdev: deviceNumber(member) };
      case '6':
        return { Kind: 'special', Mode: S_IFIFO | mode, ...owner, ...times, Rdev: 0n };
      default:
        throw invalid(`error building image: Unsupported file type: ${member.type}`);
    }
  }

  #number(path: string, inode: GenericInode): bigint {
    const number = this.#next++;
    this.inodes.set(number, inode);
    this.#numbers.set(path, number);
    return number;
  }
  #enter(path: string, number: bigint): void {
    const directory = this.#directories.get(parentDirectory(path));
    if (!directory) throw invalid(`error building image: No parent directory found for: ${path}`);
    directory.EntryList.push({ Name: baseName(path), InodeNumber: number });
  }

  tree(): FileSystem {
    for (const directory of this.#directories.values())
      directory.EntryList.sort((a, b) =>
        Buffer.compare(encodeText(a?.Name ?? ''), encodeText(b?.Name ?? '')),
      );
    return {
      InodeTable: this.inodes,
      NumRegularInodes: this.regular,
      TotalDataBytes: this.bytes,
      DirectoryCount: BigInt(this.#directories.size),
      DirectoryInode: this.root,
    };
  }
}

function readBlock(fd: number, at: number, length: number): Buffer {
  const block = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const read = readSync(fd, block, filled, length - filled, at + filled);
    if (read === 0) break;
    filled += read;
  }
  if (filled === 0) return Buffer.alloc(0);
  if (filled < length) throw invalid('error building image: unexpected EOF');
  return block;
}

/** Every member with the offset of its contents; extension headers are applied. */
function* members(fd: number, size: number): Generator<{ member: TarMember; offset: number }> {
  let pax = new Map<string, Buffer>();
  let longName: Buffer | undefined;
  let longLink: Buffer | undefined;
  for (let at = 0; at < size; ) {
    const block = readBlock(fd, at, BLOCK);
    if (block.length === 0) return;
    const header = parseHeader(block);
    if (!header) return;
    at += BLOCK;
    const member = applyPax(
      { ...header, ...(longName ? { name: longName } : {}), ...(longLink ? { link: longLink } : {}) },
      pax,
    );
    const stored = 'xgLK'.includes(header.type)
      ? header.size
      : '05'.includes(header.type) || header.type === '7'
        ? member.size
        : 0;
    if (at + stored > size) throw invalid('error building image: unexpected EOF');
    if ('xgLK'.includes(header.type)) {
      if (header.size > MAX_EXTENSION) throw invalid('archive/tar: invalid tar header');
      const data = readBlock(fd, at, header.size);
      if (header.type === 'x') pax = parsePax(data);
      const end = data.indexOf(0);
      const name = Buffer.from(end < 0 ? data : data.subarray(0, end));
      if (header.type === 'L') longName = name;
      if (header.type === 'K') longLink = name;
    } else {
      yield { member, offset: at };
      pax = new Map();
      longName = undefined;
      longLink = undefined;
    }
    at += Math.ceil(stored / BLOCK) * BLOCK;
  }
}

/** Scans an archive. Call `cleanUp` when its contents have been uploaded. */
export async function scanTar(
  source: string,
  filter?: PathFilter,
): Promise<ScannedTree & { cleanUp: () => void }> {
  const { file, remove } = await plainFile(source);
  const fd = openSync(file, 'r');
  try {
    const scanner = new TarScanner(file, fd, filter);
    for (const { member, offset } of members(fd, statSync(file).size)) scanner.add(member, offset);
    scanner.progress.end();
    return { tree: scanner.tree(), contents: scanner.contents, cleanUp: remove };
  } catch (error) {
    remove();
    throw error;
  } finally {
    closeSync(fd);
  }
}
