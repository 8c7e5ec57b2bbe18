import { describe, expect, test } from 'bun:test';
import { formatHeader, padding, type TarMember } from '../image/tar-format.ts';
import { TarTree } from '../image/tar-tree.ts';
import { findPath, walkTree } from '../image/tree.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import { ByteStream } from './byte-stream.ts';
import { tarEntries } from './tar-entries.ts';

const member = (name: string | Buffer, type: string, more: Partial<TarMember> = {}): TarMember => ({
  name: Buffer.from(name as string),
  type,
  mode: 0o644,
  uid: 1,
  gid: 2,
  size: 0,
  seconds: 5n,
  nanoseconds: 0,
  link: Buffer.alloc(0),
  major: 0,
  minor: 0,
  ...more,
});
/** An archive of members and their contents. */
function archive(...parts: readonly (readonly [TarMember, string?])[]): Buffer {
  const blocks = parts.flatMap(([one, text = '']) => {
    const data = Buffer.from(text);
    return [formatHeader({ ...one, size: data.length }), data, padding(data.length)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
/** In pieces of an odd size, as a pipe would bring them. */
async function* pieces(bytes: Buffer, length = 77): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
async function read(bytes: Buffer, filter?: (path: string) => boolean): Promise<FileSystem> {
  const stream = new ByteStream(pieces(bytes));
  const tree = new TarTree(filter);
  for await (const one of tarEntries(stream)) {
    const path = tree.pathOf(one);
    if (path === undefined) continue;
    let hash: string | undefined;
    if (tree.hasContents(one)) hash = Bun.CryptoHasher.hash('sha512', await stream.upTo(one.size), 'hex');
    tree.add(path, one, hash);
  }
  return tree.finish();
}
const paths = (tree: FileSystem) => [...walkTree(tree)].map((one) => one.path);

describe('archives', () => {
  test('every kind of member', async () => {
    const long = `${'d'.repeat(90)}/${'f'.repeat(90)}`;
    const tree = await read(
      archive(
        [member('./', '5', { mode: 0o750 })],
        [member(`./${'d'.repeat(90)}/`, '5')],
        [member(`./${long}`, '0', { seconds: -2n, nanoseconds: 5 }), 'x'.repeat(1000)],
        [member(Buffer.from([0x2e, 0x2f, 0xff, 0x41]), '0'), 'y'],
        [member('./hard', '1', { link: Buffer.from(`./${long}`) })],
        [member('./soft', '2', { link: Buffer.from('a'.repeat(200)) })],
        [member('./null', '3', { major: 1, minor: 3 })],
        [member('./sda', '4', { major: 8, minor: 1, uid: 3_000_000_000 })],
        [member('./pipe', '6')],
        [member('./v7dir/', '0')],
        [member('.subd/x', '0'), 'never'],
        [member('.subdx', '0'), 'but this'],
      ),
    );
    expect(tree).toMatchObject({ NumRegularInodes: 3n, TotalDataBytes: 1009n, DirectoryCount: 3n });
    expect(tree.DirectoryInode.Mode).toBe(0o40750);
    expect(findPath(tree, `/${long}`)).toMatchObject({ MtimeSeconds: -2n, MtimeNanoSeconds: 5, Size: 1000n });
    expect(findPath(tree, '/hard')).toBe(findPath(tree, `/${long}`) as never);
    expect(findPath(tree, '/\udcffA')).toMatchObject({ Size: 1n, Uid: 1, Gid: 2, Mode: 0o100644 });
    expect(findPath(tree, '/soft')).toMatchObject({ Symlink: 'a'.repeat(200) });
    expect(findPath(tree, '/null')).toMatchObject({ Mode: 0o20644, Rdev: 0x103n });
    expect(findPath(tree, '/sda')).toMatchObject({ Mode: 0o60644, Rdev: 0x801n, Uid: 3_000_000_000 });
    expect(findPath(tree, '/pipe')).toMatchObject({ Mode: 0o10644 });
    expect(findPath(tree, '/v7dir')).toMatchObject({ Kind: 'directory' });
    expect(paths(tree).filter((path) => path.startsWith('/.subd'))).toEqual(['/.subdx']);
  });
  test('a later member replaces an earlier one', async () => {
    const tree = await read(
      archive([member('a', '0'), 'one'], [member('b', '0'), ''], [member('a', '0'), 'four']),
    );
    expect(paths(tree)).toEqual(['/', '/a', '/b']);
    expect(tree).toMatchObject({ NumRegularInodes: 2n, TotalDataBytes: 4n });
  });
  test('what the filter takes out', async () => {
    const bytes = archive([member('tmp/', '5')], [member('tmp/x', '0'), 'x']);
    expect(paths(await read(bytes, (path) => path.startsWith('/tmp/')))).toEqual(['/', '/tmp']);
  });
  test('an empty archive', async () => {
    expect(paths(await read(Buffer.alloc(0)))).toEqual(['/']);
    expect(paths(await read(Buffer.alloc(1024)))).toEqual(['/']);
  });
  const refused: readonly [string, Buffer, string][] = [
    [
      'child before its parent',
      archive([member('etc/passwd', '0'), 'x']),
      'No parent directory found for: /etc/passwd',
    ],
    [
      'link to nothing',
      archive([member('a', '1', { link: Buffer.from('b') })]),
      'missing hardlink target: /b',
    ],
    [
      'a big minor number',
      archive([member('a', '3', { minor: 256 })]),
      'minor device number: 256 is too large',
    ],
    ['an unknown type', archive([member('a', 'V')]), 'Unsupported file type: 86'],
    ['cut in a header', archive([member('a', '0'), 'x']).subarray(0, 300), 'unexpected EOF'],
    ['cut in contents', archive([member('a', '0'), 'x'.repeat(2000)]).subarray(0, 1000), 'unexpected EOF'],
    ['no archive', Buffer.from('x'.repeat(600)), 'archive/tar: invalid tar header'],
  ];
  for (const [what, bytes, message] of refused)
    test(what, () => expect(read(bytes)).rejects.toThrow(message));
  test('names cannot lead out of the tree', async () => {
    expect(
      paths(await read(archive([member('../../etc', '5')], [member('/../etc/../x', '0'), 'x']))),
    ).toEqual(['/', '/etc', '/x']);
  });
});
