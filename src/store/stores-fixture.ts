/** Both stores for tests, on directories of their own, and small images to put into them. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { encodeImage } from '../wire/encoded-image.ts';
import type { FileSystem } from '../wire/messages/filesystem.ts';
import type { Image } from '../wire/messages/image.ts';
import { type GoTime, timeFromMillis, ZERO_TIME } from '../wire/time.ts';
import { openStores } from './open.ts';
import { testDirectory } from './test-directory.ts';
import type { EncodedImage, StoreOptions, Stores } from './types.ts';

export const START = 1_700_000_000_000;

export function sha512(bytes: Uint8Array | string): string {
  return new Bun.CryptoHasher('sha512').update(bytes).digest('hex');
}

export interface Place {
  readonly root: string;
  readonly images: string;
  readonly objects: string;
  readonly lines: string[];
  readonly clock: { now: number };
  open(options?: Partial<StoreOptions>): Promise<Stores>;
}

export async function withPlace(run: (place: Place) => Promise<void>, parent?: string): Promise<void> {
  const root = testDirectory('stores-', parent);
  const images = join(root, 'img');
  const objects = join(root, 'obj');
  mkdirSync(images);
  mkdirSync(objects);
  const lines: string[] = [];
  const clock = { now: START };
  const opened: Stores[] = [];
  const open = async (options: Partial<StoreOptions> = {}) => {
    const stores = await openStores({
      imageDirectory: images,
      objectDirectory: objects,
      log: (line) => lines.push(line),
      now: () => clock.now,
      scrubBytesPerSecond: 0,
      minFreeBytes: 0,
      startPercent: 99,
      ...options,
    });
    opened.push(stores);
    return stores;
  };
  try {
    await run({ root, images, objects, lines, clock, open });
  } finally {
    for (const stores of opened) await stores.close();
    rmSync(root, { recursive: true, force: true });
  }
}

/** An image with one file per content; contents are not uploaded. */
export function makeImage(
  contents: readonly string[],
  options: { createdOn?: GoTime; expiresAt?: GoTime; by?: string; notes?: string } = {},
): EncodedImage {
  const InodeTable: FileSystem['InodeTable'] = new Map();
  const EntryList: FileSystem['DirectoryInode']['EntryList'] = [];
  contents.forEach((content, index) => {
    const number = BigInt(index + 1);
    InodeTable.set(number, {
      Kind: 'regular',
      Mode: 0o100644,
      Uid: 0,
      Gid: 0,
      MtimeNanoSeconds: 0,
      MtimeSeconds: 1n,
      Size: BigInt(Buffer.byteLength(content)),
      Hash: sha512(content),
    });
    EntryList.push({ Name: `file${index}`, InodeNumber: number });
  });
  const image: Image = {
    BuildBranch: '',
    BuildCommitId: '',
    BuildGitUrl: '',
    CreatedBy: options.by ?? 'somebody',
    CreatedFor: '',
    Filter: { FilterLines: ['/tmp'] },
    FileSystem: {
      InodeTable,
      NumRegularInodes: BigInt(contents.length),
      TotalDataBytes: 0n,
      DirectoryCount: 1n,
      DirectoryInode: { EntryList, EntriesByName: null, Mode: 0o40755, Uid: 0, Gid: 0 },
    },
    Triggers: null,
    ReleaseNotes: options.notes === undefined ? null : { Object: sha512(options.notes), URL: '' },
    BuildLog: null,
    CreatedOn: options.createdOn ?? timeFromMillis(START),
    ExpiresAt: options.expiresAt ?? ZERO_TIME,
    OwnerGroups: [],
    OwnerUsers: [],
    Packages: [],
    SourceImage: '',
    Tags: null,
  };
  return encodeImage(image);
}

/** Uploads contents and commits them. */
export async function upload(stores: Stores, ...contents: string[]): Promise<string[]> {
  const group = stores.objects.upload();
  const hashes: string[] = [];
  for (const content of contents) {
    const data = Buffer.from(content);
    hashes.push((await group.put({ length: data.length, expected: undefined, data })).hash);
  }
  await group.commit();
  group.close();
  return hashes;
}

/** Uploads the contents and adds an image of them. */
export async function addImage(
  stores: Stores,
  name: string,
  contents: readonly string[],
  options?: Parameters<typeof makeImage>[1],
): Promise<void> {
  await upload(stores, ...contents, ...(options?.notes === undefined ? [] : [options.notes]));
  await stores.images.add(name, makeImage(contents, options));
}

export async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
    return 'no error';
  } catch (thrown) {
    return (thrown as { code?: string }).code ?? String(thrown);
  }
}
