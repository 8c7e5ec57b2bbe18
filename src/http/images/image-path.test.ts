import { describe, expect, test } from 'bun:test';
import { resolveImagePath } from './image-path.ts';

const IMAGES = new Set(['base/img.0', 'img', 'odd/files/x', 'a.tar', 'b', 'b.tar', 'sp ace/ü', 'tree']);
const has = (name: string) => IMAGES.has(name);

const cases: [string, string, string, string][] = [
  ['base/img.0', 'base/img.0', 'image', ''],
  ['base%2Fimg.0', 'base/img.0', 'image', ''],
  ['base/img.0/files/etc/passwd', 'base/img.0', 'files', 'etc/passwd'],
  ['base%2Fimg.0/files/etc%2Fpasswd', 'base/img.0', 'files', 'etc/passwd'],
  ['base/img.0/tree', 'base/img.0', 'tree', ''],
  ['base/img.0/tree/', 'base/img.0', 'tree', ''],
  ['base/img.0/tree/files/x', 'base/img.0', 'tree', 'files/x'],
  ['base/img.0/diff/img', 'base/img.0', 'diff', 'img'],
  ['img.tar', 'img', '.tar', ''],
  ['img.tar.gz', 'img', '.tar.gz', ''],
  ['odd/files/x', 'odd/files/x', 'image', ''],
  ['odd/files/x/files/y', 'odd/files/x', 'files', 'y'],
  ['a.tar', 'a.tar', 'image', ''],
  ['b.tar', 'b.tar', 'image', ''],
  ['b.tar.tar', 'b.tar', '.tar', ''],
  ['b.tar.gz', 'b', '.tar.gz', ''],
  ['sp%20ace/%C3%BC/files/f%25', 'sp ace/ü', 'files', 'f%'],
  ['tree/tree/x', 'tree', 'tree', 'x'],
  ['none/files/x', 'none', 'files', 'x'],
  ['none', 'none', 'image', ''],
];

describe('paths below /images/', () => {
  for (const [raw, name, aspect, rest] of cases)
    test(raw, () => {
      expect(resolveImagePath(raw, has)).toEqual({ name, aspect, rest } as never);
    });
});
