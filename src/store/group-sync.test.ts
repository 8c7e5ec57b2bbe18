import { expect, test } from 'bun:test';
import type { Disk } from './disk.ts';
import { GroupSync } from './group-sync.ts';
import { SharedSync } from './shared-sync.ts';

/** Syncs that end when told. */
function place(whole: () => Promise<boolean>) {
  const syncs = { whole: 0, alone: 0 };
  const ends: (() => void)[] = [];
  const disk = {
    syncAll: () => {
      syncs.whole++;
      return whole();
    },
  } as unknown as Disk;
  const group = new GroupSync(new SharedSync(disk, 0));
  const alone = () => {
    syncs.alone++;
    return new Promise<void>((resolve) => ends.push(resolve));
  };
  const endAll = async () => {
    for (const end of ends.splice(0)) end();
    await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { group, alone, endAll, syncs };
}

test('a few are synced one by one; what comes meanwhile shares one sync, begun after they asked', async () => {
  const { group, alone, endAll, syncs } = place(async () => true);
  const done: number[] = [];
  const all = Array.from({ length: 24 }, (_, index) => group.sync(alone).then(() => done.push(index)));
  expect(syncs).toEqual({ whole: 0, alone: 4 });
  await endAll();
  await Promise.all(all);
  expect(syncs).toEqual({ whole: 1, alone: 4 });
  expect(done.length).toBe(24);
  const last = group.sync(alone);
  expect(syncs.alone).toBe(5);
  await endAll();
  await last;
});

test('a small group is synced one by one', async () => {
  const { group, alone, endAll, syncs } = place(async () => true);
  const all = Array.from({ length: 7 }, () => group.sync(alone));
  await endAll();
  await endAll();
  await Promise.all(all);
  expect(syncs).toEqual({ whole: 0, alone: 7 });
});

test('where the file system cannot be synced as a whole, each is synced by itself', async () => {
  const { group, alone, endAll, syncs } = place(async () => false);
  const all = Array.from({ length: 24 }, () => group.sync(alone));
  await endAll();
  await endAll();
  await Promise.all(all);
  expect(syncs).toEqual({ whole: 1, alone: 24 });
});

test('a sync that fails is told to everybody who waited for it, and to nobody else', async () => {
  const failure = new Error('EIO');
  const { group, alone, endAll } = place(() => Promise.reject(failure));
  const all = Promise.allSettled(Array.from({ length: 24 }, () => group.sync(alone)));
  await endAll();
  const results = await all;
  expect(results.filter(({ status }) => status === 'rejected').length).toBe(20);
  const after = group.sync(alone);
  await endAll();
  expect(await after).toBeUndefined();
});
