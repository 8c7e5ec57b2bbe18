/** Object stores for tests, on a directory of their own. */
import { rmSync } from 'node:fs';
import { type Disk, realDisk } from './disk.ts';
import { DirectoryObjectStore } from './object-store.ts';
import { ObjectTable } from './object-table.ts';
import { Reporter } from './reporter.ts';
import { SpaceGuard, type SpacePolicy } from './space-guard.ts';
import { testDirectory } from './test-directory.ts';

export interface Fixture {
  readonly store: DirectoryObjectStore;
  readonly directory: string;
  readonly lines: string[];
  readonly clock: { now: number };
  readonly reporter: Reporter;
}

const NO_POLICY: SpacePolicy = {
  minFreeBytes: 0,
  startPercent: 99,
  stopPercent: 98,
  startSize: 0,
  stopSize: 0,
};

export function sha512(bytes: Uint8Array | string): string {
  return new Bun.CryptoHasher('sha512').update(bytes).digest('hex');
}

export async function withObjectStore(
  run: (fixture: Fixture) => Promise<void>,
  options: {
    disk?: Partial<Disk>;
    policy?: Partial<SpacePolicy>;
    graceMs?: number;
    ready?: () => boolean;
  } = {},
): Promise<void> {
  const directory = testDirectory('object-store-');
  const lines: string[] = [];
  const clock = { now: 1_700_000_000_000 };
  const now = () => clock.now;
  const reporter = new Reporter((line) => lines.push(line), now);
  const space = new SpaceGuard({ ...NO_POLICY, ...options.policy }, now);
  const store = new DirectoryObjectStore({
    directory,
    // A disk that fails does so one by one.
    disk: options.disk ? { ...realDisk, renameMany: undefined, ...options.disk } : realDisk,
    table: new ObjectTable(),
    reporter,
    now,
    graceMs: options.graceMs ?? 600_000,
    space,
    isReady: options.ready ?? (() => true),
  });
  space.watch(store);
  try {
    await run({ store, directory, lines, clock, reporter });
  } finally {
    store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Uploads and commits; the hashes. */
export async function addAll(
  store: DirectoryObjectStore,
  ...contents: (string | Uint8Array)[]
): Promise<string[]> {
  const upload = store.upload();
  const hashes: string[] = [];
  for (const content of contents) {
    const data = Buffer.from(content);
    hashes.push((await upload.put({ length: data.length, expected: undefined, data })).hash);
  }
  await upload.commit();
  upload.close();
  return hashes;
}
