/** The listing of an image, one line for each path, byte for byte the original's. */
import type { FileSystem, GenericInode } from '../wire/messages/filesystem.ts';
import { modeText, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT } from './mode.ts';
import { linkCounts, walkTree } from './tree.ts';

export interface ListingOptions {
  /** Letters of columns to leave out: m l u g s t n d. */
  readonly skipFields?: string;
  /** Paths left out with everything below them (never `/`). */
  readonly skip?: (path: string) => boolean;
  /** IANA name; the local zone if not given. */
  readonly timeZone?: string;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number) => String(value).padStart(2, '0');

/** Prints times of a zone as `03 Feb 2024 04:05:06 UTC`. */
export function timePrinter(
  timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone,
): (seconds: bigint) => string {
  const print = (date: Date, zone: string) =>
    `${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} ${zone}`;
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC')
    return (seconds) => print(new Date(Number(seconds) * 1000), 'UTC');
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    timeZoneName: 'short',
  });
  return (seconds) => {
    const part = Object.fromEntries(
      format.formatToParts(new Date(Number(seconds) * 1000)).map((one) => [one.type, one.value]),
    );
    const shifted = new Date(
      Date.UTC(
        Number(part.year),
        Number(part.month) - 1,
        Number(part.day),
        Number(part.hour),
        Number(part.minute),
        Number(part.second),
      ),
    );
    return print(shifted, part.timeZoneName ?? '');
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
  const time = timePrinter(options.timeZone);
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
