/** A tree with one of everything a file system can hold, and what is found in a tree, to compare. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTime } from '../src/tool/system-calls.ts';

export const isRoot = process.getuid?.() === 0;
/** Root in some containers may not. */
export const canMount =
  isRoot && Bun.spawnSync(['unshare', '-m', '--propagation', 'private', 'true']).success;

const under = (root: string, name: Buffer) => Buffer.concat([Buffer.from(`${root}/`), name]);

/** Makes the tree in a new directory; devices and foreign owners only as root. */
export function makeTree(root: string): void {
  for (const name of ['', 'etc', 'usr', 'usr/bin', 'odd', 'dev', 'sticky'])
    mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/empty'), '');
  writeFileSync(join(root, 'etc/hostname'), 'host\n');
  writeFileSync(join(root, 'usr/bin/app'), 'x'.repeat(300_000));
  writeFileSync(join(root, 'usr/bin/app-copy'), 'x'.repeat(300_000));
  chmodSync(join(root, 'usr/bin/app-copy'), 0o4755);
  linkSync(join(root, 'etc/passwd'), join(root, 'odd/hard'));
  symlinkSync('../etc/passwd', join(root, 'odd/link'));
  symlinkSync(Buffer.from([0x2f, 0xff]), join(root, 'odd/bad-link'));
  for (const name of [[0xff, 0x41], [0x61, 0x0a, 0x62], [0x20], [0xf0, 0x9f, 0x98, 0x80], [0x2d, 0x61]])
    writeFileSync(under(join(root, 'odd'), Buffer.from(name)), `name ${name}`);
  chmodSync(join(root, 'sticky'), 0o1777);
  execFileSync('mkfifo', [join(root, 'dev/fifo')]);
  setTime(Buffer.from(join(root, 'dev/fifo')), 1n, 5);
  setTime(Buffer.from(join(root, 'etc/hostname')), -2n, 123_456_789);
  setTime(Buffer.from(join(root, 'etc/passwd')), 5_000_000_000n, 7);
  if (!isRoot) return;
  execFileSync('mknod', [join(root, 'dev/null'), 'c', '1', '3']);
  execFileSync('mknod', [join(root, 'dev/sda'), 'b', '8', '1']);
  chownSync(join(root, 'etc/empty'), 12, 4_000_000_000);
}

/** One line for each path with all that must be the same; times of directories and symbolic links do not count. */
export function describeTree(root: string, skip: (path: string) => boolean = () => false): string[] {
  const links = new Map<bigint, string>();
  const lines: string[] = [];
  const visit = (real: Buffer, path: string) => {
    if (skip(path)) return;
    const stat = lstatSync(real, { bigint: true });
    let line = `${path} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid}`;
    if (stat.isSymbolicLink()) line += ` -> ${readlinkSync(real, { encoding: 'buffer' }).toString('hex')}`;
    else if (!stat.isDirectory()) line += ` ${stat.mtimeNs}`;
    if (stat.isFile()) line += ` ${Bun.hash(readFileSync(real))}`;
    if (stat.isCharacterDevice() || stat.isBlockDevice()) line += ` ${stat.rdev}`;
    if (!stat.isDirectory()) {
      const first = links.get(stat.ino);
      if (first) line += ` = ${first}`;
      else links.set(stat.ino, path);
    }
    lines.push(line);
    if (!stat.isDirectory()) return;
    for (const name of readdirSync(real, { encoding: 'buffer' }).sort(Buffer.compare))
      visit(Buffer.concat([real, Buffer.from('/'), name]), `${path}/${name.toString('latin1')}`);
  };
  visit(Buffer.from(root), '');
  return lines;
}
