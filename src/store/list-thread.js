/**
 * The thread that lists the files of OBJECT_DIR, see object-list.ts. The entries of directories are taken as the kernel
 * gives them: no text and no object is made for a file, which halves the start of a large server.
 */
import { dlopen, ptr } from 'bun:ffi';

/** Files that one message tells of, or a few more. */
const PIECE = 4096;
const HASH_BYTES = 64;

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const O_CLOEXEC = 0x80000;

/** struct linux_dirent64: where the length of an entry is, and its name. */
const ENTRY_LENGTH = 16;
const ENTRY_NAME = 19;
/** Of an entry whose name has 124 characters, or a few less. */
const OBJECT_ENTRY = 144;
const OBJECT_NAME = 124;

/** struct statx is the same everywhere. */
const STATX_TYPE_AND_SIZE = 0x201;
const STATX_BYTES = 256;
const STATX_MODE = 28;
const STATX_SIZE = 40;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

const NOT_HEX = 16;
const DIGITS = new Uint8Array(256).fill(NOT_HEX);
for (const [value, digit] of [...'0123456789abcdef'].entries()) DIGITS[digit.charCodeAt(0)] = value;

function load(library) {
  return dlopen(library, {
    openat: { args: ['i32', 'ptr', 'i32'], returns: 'i32' },
    getdents64: { args: ['i32', 'ptr', 'u64'], returns: 'i64_fast' },
    statx: { args: ['i32', 'ptr', 'i32', 'u32', 'ptr'], returns: 'i32' },
    close: { args: ['i32'], returns: 'i32' },
  }).symbols;
}

class Lister {
  #system;
  #openFlags;
  #root;
  #firsts;
  /** Directories of the first level begun with, and the present one: its number, descriptor and names not looked into. */
  #begun = 0;
  #first = '';
  #directory = -1;
  #seconds = [];

  #entries = Buffer.alloc(64 * 1024);
  #entriesAt = ptr(this.#entries);
  #stat = new DataView(new ArrayBuffer(STATX_BYTES));
  #statBytes = new Uint8Array(this.#stat.buffer);

  // What the present piece holds.
  #count = 0;
  #hashes;
  #sizes;
  #leaves;
  #strays;
  #unread;

  #stop;

  constructor({ library, root, firsts, directoryFlag, stop }) {
    this.#system = load(library);
    this.#stop = new Uint8Array(stop);
    this.#openFlags = directoryFlag | O_CLOEXEC;
    this.#root = this.#open(AT_FDCWD, root);
    this.#firsts = firsts;
  }

  /** What comes next; undefined at the end. */
  next() {
    this.#count = 0;
    this.#hashes = new Uint8Array((PIECE + PIECE / 4) * HASH_BYTES);
    this.#sizes = new Float64Array(PIECE + PIECE / 4);
    this.#leaves = [];
    this.#strays = [];
    this.#unread = [];
    while (this.#count + this.#strays.length + this.#unread.length < PIECE && this.#stop[0] === 0) {
      const second = this.#seconds.pop();
      if (second !== undefined) this.#leaf(second);
      else if (!this.#nextFirst()) break;
    }
    const { length } = this.#leaves;
    if (this.#count + length + this.#strays.length + this.#unread.length === 0) return undefined;
    return {
      count: this.#count,
      hashes: this.#hashes,
      sizes: this.#sizes,
      leaves: this.#leaves,
      strays: this.#strays,
      unread: this.#unread,
    };
  }

  end() {
    for (const fd of [this.#directory, this.#root]) if (fd >= 0) this.#system.close(fd);
  }

  #open(at, name) {
    return this.#system.openat(at, Buffer.from(`${name}\0`), this.#openFlags);
  }

  /** Calls `visit` with the place of each name; false if the directory cannot be read. */
  #each(directory, visit) {
    for (;;) {
      const got = Number(this.#system.getdents64(directory, this.#entries, this.#entries.length));
      if (got <= 0) return got === 0;
      for (let at = 0, length = 0; at < got; at += length) {
        length = this.#entries.readUInt16LE(at + ENTRY_LENGTH);
        visit(at + ENTRY_NAME, length);
      }
    }
  }

  #text(at) {
    return this.#entries.toString('utf8', at, this.#entries.indexOf(0, at));
  }

  #nextFirst() {
    if (this.#directory >= 0) this.#system.close(this.#directory);
    this.#directory = -1;
    const first = this.#firsts[this.#begun++];
    if (first === undefined) return false;
    this.#first = first;
    this.#directory = this.#open(this.#root, first);
    const strays = [];
    const isRead = this.#each(this.#directory, (at) => {
      const name = this.#text(at);
      if (/^[0-9a-f]{2}$/.test(name)) this.#seconds.push(name);
      else if (!name.startsWith('.')) strays.push(`${first}/${name}`);
    });
    if (isRead) this.#strays.push(...strays);
    else {
      this.#seconds = [];
      this.#unread.push(first);
    }
    return true;
  }

  #leaf(second) {
    const path = `${this.#first}/${second}`;
    const number = Number.parseInt(this.#first + second, 16);
    const { length } = this.#strays;
    const count = this.#count;
    const directory = this.#open(this.#directory, second);
    const isRead = this.#each(directory, (at, entry) => {
      if (entry === OBJECT_ENTRY && this.#object(number, at)) this.#look(directory, at);
      else if (this.#entries[at] !== 0x2e) this.#strays.push(`${path}/${this.#text(at)}`);
    });
    if (directory >= 0) this.#system.close(directory);
    if (isRead) this.#leaves.push(number);
    else {
      this.#count = count;
      this.#strays.length = length;
      this.#unread.push(path);
    }
  }

  /** Writes the hash that a name stands for behind the others; false if it is none. */
  #object(leaf, at) {
    const entries = this.#entries;
    if (entries[at + OBJECT_NAME] !== 0) return false;
    if ((this.#count + 1) * HASH_BYTES > this.#hashes.length) this.#grow();
    const hashes = this.#hashes;
    let to = this.#count * HASH_BYTES;
    hashes[to++] = leaf >> 8;
    hashes[to++] = leaf;
    let bad = 0;
    for (let from = at; from < at + OBJECT_NAME; from += 2) {
      const high = DIGITS[entries[from]];
      const low = DIGITS[entries[from + 1]];
      bad |= high | low;
      hashes[to++] = (high << 4) | low;
    }
    return bad < NOT_HEX;
  }

  /** Takes the file of that hash in, with its size: -1 if it is not a file, or cannot be looked at. */
  #look(directory, at) {
    const name = this.#entriesAt + at;
    const failed = this.#system.statx(
      directory,
      name,
      AT_SYMLINK_NOFOLLOW,
      STATX_TYPE_AND_SIZE,
      this.#statBytes,
    );
    const isFile = failed === 0 && (this.#stat.getUint16(STATX_MODE, true) & S_IFMT) === S_IFREG;
    this.#sizes[this.#count++] = isFile ? Number(this.#stat.getBigUint64(STATX_SIZE, true)) : -1;
  }

  #grow() {
    const hashes = new Uint8Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const sizes = new Float64Array(this.#sizes.length * 2);
    sizes.set(this.#sizes);
    this.#sizes = sizes;
  }
}

let lister;

/** The order, then `next` for each piece that is wanted, then `end`. Answers: pieces, null for no more, `ended`. */
self.onmessage = ({ data }) => {
  if (data === 'end') {
    lister.end();
    postMessage('ended');
  } else if (data === 'next') {
    const piece = lister.next();
    if (piece) postMessage(piece, [piece.hashes.buffer, piece.sizes.buffer]);
    else postMessage(null);
  } else lister = new Lister(data);
};
