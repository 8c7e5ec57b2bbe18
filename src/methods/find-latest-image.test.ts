import { expect, test } from 'bun:test';
import type { ImageEntry, ImageStore } from '../store/types.ts';
import { timeFromMillis, ZERO_TIME } from '../wire/time.ts';
import { findLatestImage } from './find-latest-image.ts';
import type { Call } from './method.ts';
import type { Services } from './services.ts';

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;

const cases: readonly [what: string, ages: Readonly<Record<string, number>>, found: string][] = [
  ['the newest', { new: -1, old: -2 }, 'new'],
  ['one from the future is passed over', { ahead: 60, new: -1, old: -2 }, 'new'],
  ['several from the future', { more: 90, ahead: 60, old: -2 }, 'old'],
  ['clocks differ a little', { ahead: 1, old: -2 }, 'ahead'],
  ['all are from the future: the newest', { more: 90, ahead: 60 }, 'more'],
  ['none', {}, ''],
  ['what is not wanted does not come back', { 'expiring more': 90, ahead: 60 }, 'ahead'],
];

for (const [what, ages, found] of cases)
  test(`the latest image: ${what}`, async () => {
    const newestFirst = Object.entries(ages).map(
      ([name, minutes]) =>
        ({
          name,
          createdOn: timeFromMillis(NOW + minutes * MINUTE),
          expiresAt: name.startsWith('expiring') ? timeFromMillis(NOW + 1000 * MINUTE) : ZERO_TIME,
        }) as ImageEntry,
    );
    const images = {
      findLatest: (_directory: string, accept: (entry: ImageEntry) => boolean) => newestFirst.find(accept),
    } as unknown as ImageStore;
    const services = { images, now: () => NOW } as unknown as Services;
    const request = {
      BuildCommitId: '',
      DirectoryName: 'd',
      IgnoreExpiringImages: true,
      TagsToMatch: null,
    };
    expect(await findLatestImage.handle(services, request, {} as Call)).toEqual({
      ImageName: found,
      Error: '',
    });
  });
