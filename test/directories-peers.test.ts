/**
 * The same directories under the original and under ours, handed over again and again: what one has written the other
 * starts on and shows to the last byte, changes it, and hands it back. Runs where the original's programs are.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { objectPath } from '../src/store/object-hash.ts';
import { sampleImage } from '../src/wire/image-fixture.ts';
import { AddImageRequest, AddImageResponse } from '../src/wire/messages/imageserver.ts';
import { timeFromMillis, ZERO_TIME } from '../src/wire/time.ts';
import { recordedDirectory, recordedFlags, recordedPair } from './access-lab.ts';
import { available, Dice, freePort, Node, picture, sha512, upload, wrongObjects } from './replication-lab.ts';
import { haveVectors } from './vectors.ts';

setDefaultTimeout(120_000);
const text = (...contents: string[]) => contents.map((one) => Buffer.from(one));
const HOUR = 3_600_000;
/** With TLS, since only callers with a name may change owners. */
const FLAGS = {
  ours: () => [...recordedFlags(), '-objectGracePeriod=0s'],
  original: () => recordedFlags(),
};

const made: Directories[] = [];
afterAll(async () => {
  for (const directories of made) await directories.node.remove();
});

/** Two directories and the server that is on them now. */
class Directories {
  private constructor(public node: Node) {}

  static async begin(kind: 'ours' | 'original'): Promise<Directories> {
    const directories = new Directories(new Node(kind, await freePort(), FLAGS[kind]()));
    made.push(directories);
    directories.node.pair = recordedPair('all');
    await directories.node.start();
    return directories;
  }
  image(...parts: string[]): string {
    return join(this.node.imageDirectory, ...parts);
  }
  object(contents: string | Uint8Array): string {
    return join(this.node.objectDirectory, objectPath(sha512(Buffer.from(contents))));
  }

  /** The other server takes over; `between` is done while there is none. Resolves with what it shows. */
  async handOver(
    between: (directories: Directories) => void | Promise<void> = () => undefined,
  ): Promise<string> {
    const before = this.node;
    if (before.running) await before.stop();
    const kind = before.kind === 'ours' ? 'original' : 'ours';
    const after = new Node(kind, before.port, FLAGS[kind](), before.directory);
    renameSync(before.imageDirectory, after.imageDirectory);
    renameSync(before.objectDirectory, after.objectDirectory);
    after.pair = before.pair;
    this.node = after;
    await between(this);
    await after.start();
    return picture(after);
  }

  tool(...args: string[]) {
    return this.node.tool(`-certDirectory=${recordedDirectory('all')}`, ...args);
  }

  /** Hashes of what no image uses, after reading each. */
  async unreferenced(): Promise<string[]> {
    const { stdout } = await this.tool('listunrefobj');
    const hashes = stdout.split('\n').filter((line) => line !== '');
    const wrong = await this.node.with((client) =>
      wrongObjects(client, new Map(hashes.map((hash) => [hash, 'nobody']))),
    );
    expect(wrong).toEqual([]);
    return hashes.sort();
  }
  /** Paths below, relative, of what must never be left where the other server finds it. */
  leftOvers(): string[] {
    return [this.node.imageDirectory, this.node.objectDirectory].flatMap((directory) =>
      readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
        (name) => name.endsWith('~') && !name.split('/').some((part) => part.startsWith('.')),
      ),
    );
  }
}

/** What both know: the original has no tags. */
const known = (shown: string) => shown.replaceAll('"Tags":{}', '"Tags":null').split('\n');

/** Shorter than what a comparison of the whole texts would say. */
function expectSame(shown: string, before: string): void {
  const [here, there] = [known(shown), known(before)];
  expect({
    more: here.filter((line) => !there.includes(line)).map((line) => line.slice(0, 2000)),
    lacking: there.filter((line) => !here.includes(line)).map((line) => line.slice(0, 2000)),
  }).toEqual({ more: [], lacking: [] });
}

/** Every kind of inode, notes and tags. */
async function addRich(node: Node, name: string): Promise<void> {
  const contents = Buffer.from('rich!');
  const image = sampleImage();
  for (const [, inode] of image.FileSystem?.InodeTable ?? [])
    if (inode?.Kind === 'regular') Object.assign(inode, { Hash: sha512(contents), Size: 5n });
  if (image.ReleaseNotes) image.ReleaseNotes.Object = sha512(contents);
  await node.with(async (client) => {
    await upload(client, [contents]);
    await client.call('ImageServer.AddImage', AddImageRequest, AddImageResponse, {
      ImageName: name,
      Image: image,
    });
  });
}

async function fill(node: Node): Promise<void> {
  for (const name of ['d', 'd/sub', 'cleared', 'empty', 'unicode é☃']) await node.mkdir(name);
  await node.chown('d', 'operator');
  await node.chown('d/sub', 'daemon');
  // A shorter name over a longer one: the original leaves the old end behind the checksum.
  await node.chown('d/sub', 'bin');
  await node.chown('cleared', 'daemon');
  await node.chown('cleared', '');
  await node.add('top', text('top'));
  await node.add('d/kept', text('kept', 'both', 'x'.repeat(200_000)));
  await node.add('d/sub/deep', text('deep', 'both'));
  await node.add('unicode é☃/ñ', text('named'));
  await addRich(node, 'd/rich');
  await node.add('d/deleted', text('deleted', 'both'));
  await node.delete('d/deleted');
  await node.add('d/again', text('first'));
  await node.delete('d/again');
  await node.add('d/again', text('second'));
  await node.add('d/extended', text('extended'), timeFromMillis(Date.now() + HOUR));
  await node.setExpiry('d/extended', timeFromMillis(Date.now() + 2 * HOUR));
  await node.add('d/permanent', text('permanent'), timeFromMillis(Date.now() + HOUR));
  await node.setExpiry('d/permanent', ZERO_TIME);
  await node.with((client) => upload(client, text('unused 1', 'unused 2', 'unused 3')));
}

describe.skipIf(!available('original') || !haveVectors)('directories are handed over', () => {
  for (const first of ['ours', 'original'] as const)
    test(`begun by ${first}`, async () => {
      const directories = await Directories.begin(first);
      await fill(directories.node);
      const written = await picture(directories.node);
      for (const name of [
        'top: ',
        'd/kept: ',
        'd/rich: ',
        'd/again: ',
        'd/ operator',
        'd/sub/ bin',
        'cleared/ \n',
      ])
        expect(`${written}\n`).toContain(name);
      expect(written).not.toContain('d/deleted: ');
      const unused = await directories.unreferenced();

      expectSame(await directories.handOver(), written);
      // What only the trash of ours holds on to is unused to the original.
      const held = first === 'ours' ? text('deleted', 'first').map(sha512) : [];
      expect(await directories.unreferenced()).toEqual([...unused, ...held].sort());

      // The other one changes all kinds of things.
      const other = directories.node;
      await other.add('d/deleted', text('came back', 'both'));
      await other.add('d/sub/more', text('more', 'unused 2'));
      await other.delete('d/kept');
      await other.mkdir('d/sub/other');
      await other.chown('d', 'bin');
      await other.chown('d/sub', '');
      await other.setExpiry('d/extended', timeFromMillis(Date.now() + 3 * HOUR));
      const changed = await picture(other);
      expect(changed).not.toBe(written);
      const unusedThen = await directories.unreferenced();

      expectSame(await directories.handOver(), changed);
      const heldThen = other.kind === 'ours' ? text('kept', 'x'.repeat(200_000)).map(sha512) : [];
      const expected =
        other.kind === 'ours'
          ? [...unusedThen, ...heldThen]
          : unusedThen.filter((hash) => !text('deleted', 'first').map(sha512).includes(hash));
      expect(await directories.unreferenced()).toEqual(expected.sort());

      // Collected by the one, gone for the other.
      await directories.node.collect();
      const collected = await picture(directories.node);
      // The original leaves alone what it does not understand.
      if (first === 'ours') expect(collected).toContain('"Tags":{}');
      expectSame(collected, changed);
      expectSame(await directories.handOver(), changed);
      expectSame(await directories.handOver(), changed);
      expect(directories.leftOvers()).toEqual([]);
    });

  test('the trash of ours outlives the original; what it collected meanwhile is said to be missing', async () => {
    const directories = await Directories.begin('ours');
    for (const name of ['whole', 'robbed']) {
      await directories.node.add(name, text(`contents of ${name}`));
      await directories.node.delete(name);
    }
    await directories.node.with((client) => upload(client, text('held')));
    await directories.handOver();
    // Only the objects of one: the original collects the oldest first, so the other's are made used.
    await directories.node.add('user', text('contents of whole'));
    await directories.node.collect();
    await directories.handOver();
    expect(await directories.tool('undelete', 'whole')).toMatchObject({ status: 0, stderr: '' });
    expect(await directories.tool('undelete', 'robbed')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('objects of the image are not available'),
    });
    const shown = await picture(directories.node);
    expect(shown).toContain('whole: ');
    expectSame(await directories.handOver(), shown);
  });

  test('images that expire while no server runs are removed by whichever starts next', async () => {
    for (const first of ['ours', 'original'] as const) {
      const directories = await Directories.begin(first);
      const expiresAt = Date.now() + 1500;
      await directories.node.add('short', text('short'), timeFromMillis(expiresAt));
      await directories.node.add('long', text('long'));
      const shown = await directories.handOver(() => Bun.sleep(Math.max(0, expiresAt - Date.now() + 50)));
      expect(shown).toContain('long: ');
      expect(shown).not.toContain('short: ');
      expect(existsSync(directories.image('short'))).toBeFalse();
      expectSame(await directories.handOver(), shown);
    }
  });

  test('after damage to images and objects: set aside, healed, deleted; then the original starts', async () => {
    const directories = await Directories.begin('ours');
    await fill(directories.node);
    await directories.node.stop();
    writeFileSync(directories.image('d', 'garbage'), 'no image');
    truncateSync(directories.image('top'), 100);
    truncateSync(directories.object('deep'), 1);
    await directories.node.start();
    const damaged = await picture(directories.node).catch((error: Error) => error.message);
    expect(damaged).not.toContain('top: ');
    // Here the original would refuse to start.
    for (const name of ['d/garbage', 'top'])
      expect(await directories.tool('delete', name)).toMatchObject({ status: 0, stderr: '' });
    await directories.node.with((client) => upload(client, text('deep')));
    const healed = await picture(directories.node);
    expect(healed).toContain('d/sub/deep: ');
    expect(readdirSync(directories.image('.quarantine'))).toHaveLength(2);
    expect(readdirSync(join(directories.node.objectDirectory, '.quarantine'))).toHaveLength(1);
    expectSame(await directories.handOver(), healed);
    expectSame(await directories.handOver(), healed);
    expect(readdirSync(directories.image('.quarantine'))).toHaveLength(2);
  });

  test('after kill -9 in the middle of uploads and adds, and left-overs of the original', async () => {
    const directories = await Directories.begin('ours');
    await directories.node.mkdir('d');
    const dice = new Dice(Number(process.env.IMAGESERVER_SEED ?? 5));
    for (let round = 0; round < 3; round++) {
      const { node } = directories;
      const acknowledged: string[] = [];
      const enough = Promise.withResolvers<void>();
      const work = (async () => {
        for (let at = 0; ; at++) {
          await node.add(`d/${node.kind}-${round}-${at}`, [dice.bytes(20_000), dice.bytes(100)]);
          acknowledged.push(`d/${node.kind}-${round}-${at}: `);
          if (at === 3) enough.resolve();
        }
      })();
      work.catch(() => undefined);
      await enough.promise;
      await node.stop('SIGKILL');
      await work.catch(() => undefined);
      const shown = await directories.handOver();
      for (const name of acknowledged) expect(shown).toContain(name);
      // The original's own crashes: half an object and half an image under names that end in ~.
      const stopped = directories.node;
      await stopped.add(`d/${stopped.kind}-${round}`, text(`whole ${round}`));
      const before = await picture(stopped);
      const past = new Date(Date.now() - 2 * HOUR);
      expectSame(
        await directories.handOver(() => {
          const half = `${directories.object(`half ${round}`)}~`;
          mkdirSync(dirname(half), { recursive: true });
          for (const path of [half, `${directories.image('d', 'half')}~`]) {
            writeFileSync(path, 'ha');
            utimesSync(path, past, past);
          }
        }),
        before,
      );
      expect(directories.leftOvers()).toEqual([]);
    }
  });
});
