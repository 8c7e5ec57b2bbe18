/** What DeleteUnreferencedObjects deletes: oldest first, until both the share of the number and the bytes are reached. */
import type { ObjectStore } from '../store/types.ts';

export function untilBoth(
  objects: ObjectStore,
  { Percentage, Bytes }: { readonly Percentage: number; readonly Bytes: bigint },
): (count: number, bytes: number) => boolean {
  const wantedCount = Math.floor((Percentage * objects.totals().unreferencedObjects) / 100);
  const wantedBytes = Number(Bytes);
  return (count, bytes) => count < wantedCount || bytes < wantedBytes;
}
