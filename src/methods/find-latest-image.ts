import { asImageServerError, ImageServerError } from '../errors.ts';
import type { ImageEntry } from '../store/types.ts';
import { FindLatestImageRequest, FindLatestImageResponse } from '../wire/messages/imageserver.ts';
import { isZeroTime, toMillis } from '../wire/time.ts';
import { defineUnary } from './method.ts';

/** Clocks of a replica through which an image came and of its master may differ so much, milliseconds. */
const TOLERANCE_MS = 60_000;

/** Every key asked for must be among the image's tags with one of the wanted values. */
function tagsMatch(entry: ImageEntry, wanted: ReadonlyMap<string, readonly string[]> | null): boolean {
  for (const [key, values] of wanted ?? []) {
    const value = entry.tags.get(key);
    if (value === undefined || !values.includes(value)) return false;
  }
  return true;
}

export const findLatestImage = defineUnary({
  name: 'ImageServer.FindLatestImage',
  summary:
    'Names the image with the latest creation time, not in the future if there is another, directly inside a directory.',
  public: true,
  unauthenticatedRead: true,
  mutates: false,
  request: FindLatestImageRequest,
  reply: FindLatestImageResponse,
  handle(services, request, call) {
    const { BuildCommitId, IgnoreExpiringImages, TagsToMatch } = request;
    const wanted = (candidate: ImageEntry) =>
      !(IgnoreExpiringImages && !isZeroTime(candidate.expiresAt)) &&
      (!BuildCommitId ||
        candidate.buildCommitId === BuildCommitId ||
        candidate.buildBranch === BuildCommitId) &&
      tagsMatch(candidate, TagsToMatch);
    // Made by a clock that was wrong: it would hide all that are made until then.
    const latest = services.now() + TOLERANCE_MS;
    let fromTheFuture: ImageEntry | undefined;
    try {
      const entry = services.images.findLatest(request.DirectoryName, (candidate) => {
        if (!wanted(candidate)) return false;
        if (toMillis(candidate.createdOn) <= latest) return true;
        fromTheFuture ??= candidate;
        return false;
      });
      return { ImageName: (entry ?? fromTheFuture)?.name ?? '', Error: '' };
    } catch (thrown) {
      const error = asImageServerError(thrown);
      if (error.code !== 'DIRECTORY_NOT_FOUND') throw error;
      const text = `unknown directory: ${request.DirectoryName}`;
      call.failure = new ImageServerError('DIRECTORY_NOT_FOUND', text, { cause: error });
      return { ImageName: '', Error: text };
    }
  },
});
