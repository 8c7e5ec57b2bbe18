import {
  PreviewDeleteUnreferencedObjectsRequest,
  PreviewDeleteUnreferencedObjectsResponse,
} from '../wire/messages/extensions.ts';
import { timeFromMillis } from '../wire/time.ts';
import { defineUnary } from './method.ts';
import { untilBoth } from './unreferenced-wanted.ts';

/** Objects named in one answer. */
const MOST = 10_000;

export const previewDeleteUnreferencedObjects = defineUnary({
  name: 'ImageServer.PreviewDeleteUnreferencedObjects',
  summary: 'What DeleteUnreferencedObjects would delete now; nothing is deleted.',
  public: false,
  unauthenticatedRead: false,
  mutates: false,
  request: PreviewDeleteUnreferencedObjectsRequest,
  reply: PreviewDeleteUnreferencedObjectsResponse,
  async handle({ objects }, request) {
    const wanted = untilBoth(objects, request);
    const named: { Hash: string; Size: bigint; Since: ReturnType<typeof timeFromMillis> }[] = [];
    const { count, bytes } = await objects.collect(
      (soFar, size, next) => {
        const more = wanted(soFar, size);
        if (more && named.length < MOST)
          named.push({ Hash: next.hash, Size: BigInt(next.size), Since: timeFromMillis(next.since) });
        return more;
      },
      { dryRun: true },
    );
    return { NumObjects: BigInt(count), TotalBytes: BigInt(bytes), Objects: named };
  },
});
