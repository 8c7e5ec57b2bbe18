import { asImageServerError, ImageServerError } from '../errors.ts';
import type { ImageEntry } from '../store/types.ts';
import { FindLatestImageRequest, FindLatestImageResponse } from '../wire/messages/imageserver.ts';
import { isZeroTime } from '../wire/time.ts';
import { defineUnary } from './method.ts';

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
  summary: 'Names the image with the latest creation time directly inside a directory.',
  public: true,
  unauthenticatedRead: true,
  mutates: false,
  request: FindLatestImageRequest,
  reply: FindLatestImageResponse,
  handle(services, request, call) {
    const { BuildCommitId, IgnoreExpiringImages, TagsToMatch } = request;
    try {
      const entry = services.images.findLatest(
        request.DirectoryName,
        (candidate) =>
          !(IgnoreExpiringImages && !isZeroTime(candidate.expiresAt)) &&
          (!BuildCommitId ||
            candidate.buildCommitId === BuildCommitId ||
            candidate.buildBranch === BuildCommitId) &&
          tagsMatch(candidate, TagsToMatch),
      );
      return { ImageName: entry?.name ?? '', Error: '' };
    } catch (thrown) {
      const error = asImageServerError(thrown);
      if (error.code !== 'DIRECTORY_NOT_FOUND') throw error;
      const text = `unknown directory: ${request.DirectoryName}`;
      call.failure = new ImageServerError('DIRECTORY_NOT_FOUND', text, { cause: error });
      return { ImageName: '', Error: text };
    }
  },
});
