/** Objects that are damaged or missing here are fetched from the master again. */
import type { Damage, Hash, ImageStore, ObjectStore, ObjectUpload } from '../store/types.ts';
import { scanImage } from '../wire/encoded-image.ts';
import { missingObjects } from './fetch-image.ts';
import type { ObjectFetcher } from './fetch-objects.ts';

/** Fetches what `damages` says is missing. Resolves with the number of objects that are whole again. */
export async function healObjects(
  damages: readonly Damage[],
  images: ImageStore,
  objects: ObjectStore,
  fetcher: ObjectFetcher,
  signal: AbortSignal,
): Promise<number> {
  const leases: ObjectUpload[] = [];
  const wanted = new Map<Hash, number>();
  try {
    for (const { kind, what } of damages) {
      if (kind === 'object' && objects.size(what) === 0) wanted.set(what, -1);
      // An image that is here but lacks objects. (One that is not here comes by comparison.)
      if (kind === 'image' && images.has(what)) {
        const lease = objects.upload();
        leases.push(lease);
        const summary = await scanImage((await images.read(what)).bytes);
        for (const { hash, size } of await missingObjects(summary, objects, lease)) wanted.set(hash, size);
      }
    }
    if (wanted.size === 0) return 0;
    const got = await fetcher.fetch(
      Array.from(wanted, ([hash, size]) => ({ hash, size })),
      leases,
      signal,
    );
    return got.objects;
  } finally {
    for (const lease of leases) lease.close();
  }
}
