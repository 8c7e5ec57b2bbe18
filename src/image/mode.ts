/** Modes as `ls` shows them. */

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

const LETTERS: Record<number, string> = {
  [S_IFSOCK]: 's',
  [S_IFLNK]: 'l',
  [S_IFREG]: '-',
  [S_IFBLK]: 'b',
  [S_IFDIR]: 'd',
  [S_IFCHR]: 'c',
  [S_IFIFO]: 'p',
};

/** Ten characters, e.g. `-rwsr-xr-x`. */
export function modeText(mode: number): string {
  const bit = (mask: number, letter: string) => (mode & mask ? letter : '-');
  const execute = (mask: number, special: number, both: string, only: string) =>
    mode & special ? (mode & mask ? both : only) : bit(mask, 'x');
  return (
    (LETTERS[mode & S_IFMT] ?? '?') +
    bit(0o400, 'r') +
    bit(0o200, 'w') +
    execute(0o100, 0o4000, 's', 'S') +
    bit(0o040, 'r') +
    bit(0o020, 'w') +
    execute(0o010, 0o2000, 's', 'S') +
    bit(0o004, 'r') +
    bit(0o002, 'w') +
    execute(0o001, 0o1000, 't', 'T')
  );
}
