/** The listing of an image, one line for each path, byte for byte the original's. */

import type { GenericInode, Tree } from '../wire/messages/filesystem.ts';
import { dateOfDays } from './calendar.ts';
import { localZone } from './local-zone.ts';
import { modeText, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT } from './mode.ts';
import { linkCounts, walkTree } from './tree.ts';
import type { Zone } from './zone.ts';

export interface ListingOptions {
  /** Letters of columns to leave out: m l u g s t n d. */
  readonly skipFields?: string;
  /** Paths left out with everything below them (never `/`). */
  readonly skip?: (path: string) => boolean;
  /** The local zone if not given. */
  readonly zone?: Zone;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY = 86_400;
const TWO = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));
const two = (value: number) => TWO[value] as string;

function dateText(days: number): string {
  const { year, month, day } = dateOfDays(days);
  const digits = String(Math.abs(year)).padStart(4, '0');
  return `${two(day)} ${MONTHS[month - 1]} ${year < 0 ? '-' : ''}${digits}`;
}

/** Texts kept by a printer; an image has few different times, modes and owners. */
const MAX_KEPT = 4096;

/** As `make`, with its latest results kept. */
export function kept<K, V>(make: (key: K) => V): (key: K) => V {
  const results = new Map<K, V>();
  return (key) => {
    let result = results.get(key);
    if (result === undefined) {
      if (results.size >= MAX_KEPT) results.clear();
      result = make(key);
      results.set(key, result);
    }
    return result;
  };
}

/** Times of a zone as `03 Feb 2024 04:05:06 UTC`. */
export class TimePrinter {
  /** The date of a day since the epoch. */
  readonly date = kept(dateText);
  readonly #zone: Zone;

  constructor(zone: Zone = localZone()) {
    this.#zone = zone;
  }

  /** Day since the epoch, second in it, name of the zone. */
  parts(seconds: number): { day: number; second: number; zone: string } {
    const { offset, name } = this.#zone(seconds);
    const local = seconds + offset;
    const day = Math.floor(local / DAY);
    return { day, second: local - day * DAY, zone: name };
  }

  print(seconds: number): string {
    const { day, second, zone } = this.parts(seconds);
    const clock = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`;
    return `${this.date(day)} ${clock} ${zone}`;
  }
}

/** Prints times of a zone as `03 Feb 2024 04:05:06 UTC`. */
export function timePrinter(zone?: Zone): (seconds: bigint) => string {
  const printer = new TimePrinter(zone);
  const print = kept((seconds: number) => printer.print(seconds));
  return (unix) => print(Number(unix));
}

/** Numbers are turned into text faster than 64-bit integers. */
export function sizeText(size: number | bigint): string {
  return String(size <= Number.MAX_SAFE_INTEGER ? Number(size) : size).padStart(10);
}

export const NO_SIZE = ' '.repeat(10);
export const NO_TIME = ' '.repeat(24);

interface Shown {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: string;
  readonly seconds: bigint | undefined;
  readonly data: string;
}

function shown(inode: GenericInode): Shown {
  switch (inode.Kind) {
    case 'regular':
      return {
        mode: inode.Mode,
        uid: inode.Uid,
        gid: inode.Gid,
        size: sizeText(inode.Size),
        seconds: inode.MtimeSeconds,
        data: inode.Size > 0n ? ` ${inode.Hash}` : '',
      };
    case 'computed':
      return {
        mode: inode.Mode,
        uid: inode.Uid,
        gid: inode.Gid,
        size: 'computed'.padStart(10),
        seconds: undefined,
        data: ` <- ${inode.Source}`,
      };
    case 'symlink':
      return {
        mode: S_IFLNK | 0o777,
        uid: inode.Uid,
        gid: inode.Gid,
        size: NO_SIZE,
        seconds: undefined,
        data: ` -> ${inode.Symlink}`,
      };
    case 'special': {
      const device = (inode.Mode & S_IFMT) === S_IFBLK || (inode.Mode & S_IFMT) === S_IFCHR;
      return {
        mode: inode.Mode,
        uid: inode.Uid,
        gid: inode.Gid,
        size: device ? `0x${inode.Rdev.toString(16)}`.padStart(10) : NO_SIZE,
        seconds: inode.MtimeSeconds,
        data: '',
      };
    }
    case 'directory':
      return {
        mode: (inode.Mode & ~S_IFMT) | S_IFDIR,
        uid: inode.Uid,
        gid: inode.Gid,
        size: NO_SIZE,
        seconds: undefined,
        data: '',
      };
  }
}

/** Makes the first columns: mode, links and owners, with a space behind each. `has` tells which are wanted. */
export function ownerPrinter(
  has: (letter: string) => boolean = () => true,
): (mode: number, links: number, uid: number, gid: number) => string {
  const column = <K>(letter: string, make: (key: K) => string): ((key: K) => string) =>
    has(letter) ? kept((key: K) => `${make(key)} `) : () => '';
  const modes = column('m', modeText);
  const linked = column('l', (count: number) => String(count).padStart(3));
  const uids = column('u', (id: number) => String(id).padStart(5));
  const gids = column('g', (id: number) => String(id).padStart(5));
  // Most files have the same as the one before.
  let last = { mode: -1, links: -1, uid: -1, gid: -1, text: '' };
  return (mode, links, uid, gid) => {
    if (mode !== last.mode || links !== last.links || uid !== last.uid || gid !== last.gid)
      last = { mode, links, uid, gid, text: [modes(mode), linked(links), uids(uid), gids(gid)].join('') };
    return last.text;
  };
}

/**
 * Lines without their newlines, made as they are asked for. Joined: a text of pieces that is only put
 * together when it is sent costs several times as much.
 */
export function* listingLines(tree: Tree, options: ListingOptions = {}): Generator<string> {
  const links = linkCounts(tree);
  const has = (letter: string) => !options.skipFields?.includes(letter);
  const owners = ownerPrinter(has);
  const time = timePrinter(options.zone);
  const size = has('s') ? (text: string) => `${text} ` : () => '';
  const mtime = has('t')
    ? (seconds: bigint | undefined) => `${seconds === undefined ? NO_TIME : time(seconds)} `
    : () => '';
  const name = has('n');
  const data = has('d');
  for (const { path, inodeNumber, inode } of walkTree(tree, options.skip)) {
    const row = shown(inode);
    const count = inode.Kind === 'directory' ? 1 : (links.get(inodeNumber) ?? 0);
    yield [
      owners(row.mode, count, row.uid, row.gid),
      size(row.size),
      mtime(row.seconds),
      name ? path : '',
      data ? row.data : '',
    ].join('');
  }
}
