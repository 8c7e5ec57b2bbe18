/** Objects that images need but that are missing here, or were found damaged, are fetched from the master again. */
import type { ObjectStore } from '../store/types.ts';
import type { ObjectFetcher } from './fetch-objects.ts';

/** Objects healed in one go; the rest comes with the next. */
const MOST = 10_000;

/** Resolves with the number of objects that are whole again. */
export async function healObjects(
  objects: ObjectStore,
  fetcher: ObjectFetcher,
  signal: AbortSignal,
): Promise<number> {
  const wanted = [...Iterator.from(objects.missing()).take(MOST)];
  if (wanted.length === 0) return 0;
  const lease = objects.upload();
  try {
    return (await fetcher.fetch(wanted, lease, signal)).objects;
  } finally {
    lease.close();
  }
}
