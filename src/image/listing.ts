/** The listing of an image, one line for each path, byte for byte the original's. */

import type { FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
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
const two = (value: number) => (value < 10 ? `0${value}` : String(value));

function dateText(days: number): string {
  const { year, month, day } = dateOfDays(days);
  const digits = String(Math.abs(year)).padStart(4, '0');
  return `${two(day)} ${MONTHS[month - 1]} ${year < 0 ? '-' : ''}${digits}`;
}

/** Prints times of a zone as `03 Feb 2024 04:05:06 UTC`. Files of an image share few days: those are kept. */
export function timePrinter(zone: Zone = localZone()): (seconds: bigint) => string {
  const dates = new Map<number, string>();
  return (unix) => {
    const seconds = Number(unix);
    const { offset, name } = zone(seconds);
    const local = seconds + offset;
    const days = Math.floor(local / DAY);
    let date = dates.get(days);
    if (date === undefined) {
      date = dateText(days);
      dates.set(days, date);
    }
    const second = local - days * DAY;
    const clock = `${two(Math.floor(second / 3600))}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}`;
    return `${date} ${clock} ${name}`;
  };
}

interface Shown {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: string;
  readonly seconds: bigint | undefined;
  readonly data: string;
}

function shown(inode: GenericInode): Shown {
  const none = ' '.repeat(10);
  switch (inode.Kind) {
    case 'regular':
      return {
        mode: inode.Mode,
        uid: inode.Uid,
        gid: inode.Gid,
        size: String(inode.Size).padStart(10),
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
        size: none,
        seconds: undefined,
        data: ` -> ${inode.Symlink}`,
      };
    case 'special': {
      const device = (inode.Mode & S_IFMT) === S_IFBLK || (inode.Mode & S_IFMT) === S_IFCHR;
      return {
        mode: inode.Mode,
        uid: inode.Uid,
        gid: inode.Gid,
        size: device ? `0x${inode.Rdev.toString(16)}`.padStart(10) : none,
        seconds: inode.MtimeSeconds,
        data: '',
      };
    }
    case 'directory':
      return {
        mode: (inode.Mode & ~S_IFMT) | S_IFDIR,
        uid: inode.Uid,
        gid: inode.Gid,
        size: none,
        seconds: undefined,
        data: '',
      };
  }
}

/** Lines without their newlines, made as they are asked for. */
export function* listingLines(tree: FileSystem, options: ListingOptions = {}): Generator<string> {
  const links = linkCounts(tree);
  const time = timePrinter(options.zone);
  const has = (letter: string) => !options.skipFields?.includes(letter);
  const [mode, link, uid, gid, size, mtime, name, data] = [...'mlugstnd'].map(has);
  for (const { path, inodeNumber, inode } of walkTree(tree, options.skip)) {
    const row = shown(inode);
    let line = '';
    if (mode) line += `${modeText(row.mode)} `;
    if (link)
      line += `${String(inode.Kind === 'directory' ? 1 : (links.get(inodeNumber) ?? 0)).padStart(3)} `;
    if (uid) line += `${String(row.uid).padStart(5)} `;
    if (gid) line += `${String(row.gid).padStart(5)} `;
    if (size) line += `${row.size} `;
    if (mtime) line += `${row.seconds === undefined ? ' '.repeat(24) : time(row.seconds)} `;
    if (name) line += path;
    if (data) line += row.data;
    yield line;
  }
}
